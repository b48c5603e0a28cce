// A WebSocket client that is told what to do: the npm module ws.
//
// Commands come on standard input, one JSON array a line. Each is answered with
// one line of JSON on standard output when it is done. What does not go as the
// command says ends the program with status 1 and a last line
// {"failed": <command>, "why": <reason>}. See interop_test.go for the commands,
// and client.py, which takes the same.
import readline from "node:readline";
import WebSocket from "ws";

const patience = 20_000;

let socket; // the one that is open, or was last
let events = []; // of it: {message: string}, {binary: hex}, {pong: string}, {close: [code, reason]}, {error: string}
let wake = () => {};

function happened(event) {
  events.push(event);
  wake();
}

// next waits for what happens next on the socket.
async function next() {
  while (events.length === 0) await new Promise((resolve) => (wake = resolve));
  return events.shift();
}

const short = (v) => {
  const s = JSON.stringify(v);
  return s.length > 200 ? s.slice(0, 200) + "..." : s;
};

async function want(expected) {
  const got = await next();
  if (JSON.stringify(got) !== JSON.stringify(expected)) throw new Error(`got ${short(got)}, want ${short(expected)}`);
}

const commands = {
  // connect opens the connection; anything but 101 is a failure.
  async connect(url) {
    events = [];
    const s = (socket = new WebSocket(url, { handshakeTimeout: patience, closeTimeout: 2 * patience }));
    const mine = (event) => s === socket && happened(event);
    s.on("message", (data, binary) => mine(binary ? { binary: data.toString("hex") } : { message: data.toString() }));
    s.on("pong", (data) => mine({ pong: data.toString() }));
    s.on("close", (code, reason) => mine({ close: [code, reason.toString()] }));
    s.on("error", (error) => mine({ error: error.message }));
    await new Promise((resolve, reject) => {
      s.on("open", resolve);
      s.on("error", reject);
    });
  },
  async send(text) {
    await new Promise((resolve, reject) => socket.send(text, (error) => (error ? reject(error) : resolve())));
  },
  async binary(hex) {
    socket.send(Buffer.from(hex, "hex"));
  },
  // text waits for the next message, which must be this one.
  text: (expected) => want({ message: expected }),
  // ping waits for the answer, which must be the next to come.
  async ping(payload) {
    socket.ping(payload);
    await want({ pong: payload });
  },
  // closed waits until the server has closed, with this code.
  async closed(code) {
    const got = await next();
    if (got.close?.[0] !== code) throw new Error(`got ${short(got)}, want a close with ${code}`);
  },
  // close closes with this code; the server must answer with it, and hang up:
  // were it not for the server, this would take twice our patience.
  async close(code) {
    socket.close(code);
    await want({ close: [code, ""] });
  },
  // refused opens a connection that must be refused, with this status and a
  // text that contains the hint.
  async refused(url, status, hint) {
    const [got, body] = await new Promise((resolve, reject) => {
      const s = new WebSocket(url, { handshakeTimeout: patience });
      s.on("open", () => reject(new Error("it was accepted")));
      s.on("error", reject);
      s.on("unexpected-response", (_, response) => {
        const connection = response.socket;
        let text = "";
        response.setEncoding("utf8");
        response.on("data", (piece) => (text += piece));
        response.on("end", () => {
          connection.destroy(); // it would be kept, and this process with it
          resolve([response.statusCode, text]);
        });
        response.on("error", reject);
      });
    });
    if (got !== status || !body.includes(hint)) throw new Error(`refused with ${got} ${short(body)}, want ${status} and ${short(hint)}`);
  },
};

function within(promise) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not done after ${patience} ms`)), patience);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

for await (const line of readline.createInterface({ input: process.stdin })) {
  const [name, ...args] = JSON.parse(line);
  try {
    await within(commands[name](...args));
  } catch (error) {
    console.log(JSON.stringify({ failed: name, why: error.message }));
    process.exit(1);
  }
  console.log(JSON.stringify({ done: name }));
}

if (socket && socket.readyState !== WebSocket.CLOSED) {
  console.log(JSON.stringify({ failed: "end", why: "a connection is still open" }));
  process.exit(1);
}
if (events.length > 0) {
  console.log(JSON.stringify({ failed: "end", why: `nobody wanted ${short(events)}` }));
  process.exit(1);
}
