// Clients of other languages, against whatever serves at argv[2]: what each of them got, as JSON.
import Anthropic from "@anthropic-ai/sdk";
import { createAnthropic } from "@ai-sdk/anthropic";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { Output, generateText, jsonSchema, stepCountIs, streamText, tool } from "ai";
import OpenAI from "openai";

const root = process.argv[2];
const apiKey = process.env.MARKER_KEY;
const model = "mimo-v2.6-pro";
const parameters = { type: "object", properties: { city: { type: "string" } }, required: ["city"] };
const person = {
  type: "object",
  properties: { name: { type: "string" }, age: { type: "integer" } },
  required: ["name", "age"],
  additionalProperties: false,
};
const got = {};

/** Note what a step gives, or the error it ends in. */
async function step(name, run) {
  try {
    got[name] = await run();
  } catch (error) {
    const status = error.statusCode ?? error.status ?? null;
    got[name] = { error: error.constructor.name, status };
  }
}

async function aiSdk(name, provider) {
  const base = { model: provider(model), maxRetries: 0 };
  const tools = {
    get_weather: tool({
      description: "The weather of a city.",
      inputSchema: jsonSchema(parameters),
      execute: async ({ city }) => `rain in ${city}`,
    }),
  };
  const agent = { ...base, prompt: "weather?", tools, stopWhen: stepCountIs(3) };
  await step(`${name} chat`, async () => {
    const { text, reasoningText, finishReason } = await generateText({ ...base, prompt: "greet" });
    return { text, reasoningText, finishReason };
  });
  await step(`${name} stream`, async () => {
    const { textStream } = streamText({ ...base, prompt: "greet" });
    const pieces = [];
    for await (const piece of textStream) pieces.push(piece);
    return { text: pieces.join(""), inPieces: pieces.length > 1 };
  });
  await step(`${name} tools`, async () => {
    const { text, steps } = await generateText(agent);
    return { text, steps: steps.length, calls: steps[0].toolCalls.map((call) => call.input) };
  });
  await step(`${name} tools in a stream`, async () => {
    const result = streamText({ ...agent, onError: () => {} });
    const { text, steps } = { text: await result.text, steps: await result.steps };
    return { text, steps: steps.length };
  });
  await step(`${name} object`, async () => {
    const output = Output.object({ schema: jsonSchema(person) });
    return (await generateText({ ...base, prompt: "person as JSON", output })).output;
  });
  await step(`${name} error`, () => generateText({ ...base, prompt: "busy" }));
  await step(`${name} broken stream`, async () => {
    let failure = null;
    const onError = ({ error }) => (failure = error);
    const { textStream } = streamText({ ...base, prompt: "break", onError });
    for await (const piece of textStream) void piece;
    return { failed: failure !== null };
  });
}

async function openaiSdk() {
  const client = new OpenAI({ baseURL: `${root}/v1`, apiKey, maxRetries: 0 });
  const create = (content, more = {}) =>
    client.chat.completions.create({ model, messages: [{ role: "user", content }], ...more });
  const tools = [{ type: "function", function: { name: "get_weather", parameters } }];
  await step("openai chat", async () => {
    const { message } = (await create("greet")).choices[0];
    return { text: message.content, reasoning: message.reasoning_content };
  });
  await step("openai stream", async () => {
    const pieces = [];
    for await (const chunk of await create("greet", { stream: true }))
      pieces.push(chunk.choices[0]?.delta.content ?? "");
    return { text: pieces.join(""), inPieces: pieces.length > 1 };
  });
  await step("openai tools", async () => {
    const question = { role: "user", content: "weather?" };
    const { message } = (await create("weather?", { tools })).choices[0];
    const result = { role: "tool", tool_call_id: message.tool_calls[0].id, content: "rain" };
    const messages = [question, message, result];
    return (await create("", { messages, tools })).choices[0].message.content;
  });
  await step("openai object", async () => {
    const answer = await create("person as JSON", { response_format: { type: "json_object" } });
    return JSON.parse(answer.choices[0].message.content);
  });
  await step("openai models", async () => {
    const ids = [];
    for await (const one of client.models.list()) ids.push(one.id);
    return ids.includes(model);
  });
  await step("openai error", () => create("busy"));
  await step("openai broken stream", async () => {
    for await (const chunk of await create("break", { stream: true })) void chunk;
    return "whole";
  });
}

async function anthropicSdk() {
  const client = new Anthropic({ baseURL: `${root}/anthropic`, apiKey, maxRetries: 0 });
  const ask = (content) => ({ model, max_tokens: 500, messages: [{ role: "user", content }] });
  await step("anthropic chat", async () => {
    const { content } = await client.messages.create(ask("greet"));
    return content.map((block) => block.text ?? block.thinking);
  });
  await step("anthropic stream", async () => {
    const message = await client.messages.stream(ask("greet")).finalMessage();
    return message.content.map((block) => block.text ?? block.thinking);
  });
  await step("anthropic error", () => client.messages.create(ask("busy")));
}

await aiSdk("ai", createOpenAICompatible({ name: "mimo", baseURL: `${root}/v1`, apiKey }));
await aiSdk("ai-anthropic", createAnthropic({ baseURL: `${root}/anthropic/v1`, apiKey }));
await openaiSdk();
await anthropicSdk();
console.log(JSON.stringify(got, null, 2));
process.exit(0);
