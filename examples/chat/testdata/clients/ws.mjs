// A WebSocket client with the npm module ws that executes commands.
//
// Commands come on standard input, one JSON array a line. Each is answered with one
// line of JSON on standard output. If a command fails, the program exits with status 1
// after the line {"failed": <command>, "why": <reason>}. See interop_test.go for the
// commands, and client.py, which has the same.
import readline from "node:readline";
import WebSocket from "ws";

const patience = 20_000;

let socket; // the open one, or the last
let events = []; // of the socket: {message: string}, {binary: hex}, {pong: string}, {close: [code, reason]}, {error: string}
let wake = () => {};

function happened(event) {
  events.push(event);
  wake();
}

// next waits for the next event of the socket.
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
  // connect opens the connection; any answer but 101 is a failure. The settings of
  // permessage-deflate are those of ws.
  async connect(url, perMessageDeflate = true) {
    events = [];
    const s = (socket = new WebSocket(url, { handshakeTimeout: patience, closeTimeout: 2 * patience, perMessageDeflate }));
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
  // echo sends data, in base64, in so many frames, and checks that the next message is the
  // same.
  async echo(binary, base64, pieces) {
    const data = Buffer.from(base64, "base64");
    const size = Math.floor(data.length / pieces);
    for (let i = 0; i < pieces; i++) {
      const last = i === pieces - 1;
      socket.send(data.subarray(i * size, last ? undefined : (i + 1) * size), { binary, fin: last });
    }
    await want(binary ? { binary: data.toString("hex") } : { message: data.toString() });
  },
  // text checks the next message.
  text: (expected) => want({ message: expected }),
  // ping checks that the next event is the pong.
  async ping(payload) {
    socket.ping(payload);
    await want({ pong: payload });
  },
  // closed waits until the server has closed the connection with this code.
  async closed(code) {
    const got = await next();
    if (got.close?.[0] !== code) throw new Error(`got ${short(got)}, want a close with ${code}`);
  },
  // close closes the connection with this code. The server must answer with it and
  // close TCP: otherwise this takes twice the timeout.
  async close(code) {
    socket.close(code);
    await want({ close: [code, ""] });
  },
  // refused checks that a handshake is refused with this status and a text that
  // contains the hint.
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
          connection.destroy(); // keep-alive would keep this process running
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
