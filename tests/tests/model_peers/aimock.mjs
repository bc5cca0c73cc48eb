// `@copilotkit/aimock` behind TLS: what it answers goes on byte by byte, and where it breaks off, so does this.
//
// `aimock.mjs CERT KEY PACKAGE`: prints its port. What is asked decides what comes: one fixture for each way to fail.
import { readFileSync } from "node:fs";
import net from "node:net";
import tls from "node:tls";
import { pathToFileURL } from "node:url";

const [cert, key, folder] = process.argv.slice(2);
const { LLMock } = await import(pathToFileURL(`${folder}/dist/index.js`).href);
const long = "Three, and that is all of them. ".repeat(20);
const fixture = (asked, response, more = {}) => ({ match: { userMessage: asked }, response, ...more });
const failed = (status, more = {}) => ({ error: { message: "no", type: "error" }, status, ...more });
const mock = new LLMock({ port: 0, host: "127.0.0.1", logLevel: "silent" });
mock.addFixturesFromJSON([
  fixture("whole", { content: long }),
  fixture("pause", failed(429, { retryAfter: 7 })),
  fixture("limited", { content: long }, { chaos: { rateLimitRate: 1 } }),
  fixture("broken", { content: long }, { chaos: { dropRate: 1 } }),
  fixture("no sense", { content: long }, { chaos: { malformedRate: 1 } }),
  fixture("reset", { content: long }, { chaos: { disconnectRate: 1 } }),
  fixture("half", { content: long }, { truncateAfterChunks: 3, latency: 50 }),
  fixture("key", failed(401)),
  fixture("words", failed(400)),
  fixture("full", failed(529)),
]);
await mock.start();
const port = Number(new URL(mock.url).port);
const server = tls.createServer({ cert: readFileSync(cert), key: readFileSync(key) }, (asks) => {
  const answers = net.connect(port, "127.0.0.1");
  asks.pipe(answers);
  answers.pipe(asks, { end: false });
  answers.on("error", () => {});
  // What came before it is sent, and then no more.
  answers.on("close", () => asks.end());
  asks.on("error", () => answers.destroy());
});
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
