// Two sockets in one room: one to a consumer of Wye, one to a consumer of Channels.

const UNAUTHORIZED = 3000; // the close code that says: log in again

const words = {
  connected: (server, user) => `Connected. ${server} knows you as ${user}.`,
  waiting: "Disconnected. Trying again…",
  loggedOut: "You are logged out. Reload the page to log in.",
  down: "Redis cannot be reached. Django and other servers cannot be heard, and do not hear you.",
  gap: "Redis can be reached again. Lines that were sent in the meantime may be missing here.",
  unsent: (text) => `Redis cannot be reached. Only people on this server have received “${text}”.`,
  unsentChannels: (text) => `Redis cannot be reached. Nobody has received “${text}”.`,
  posted: "Django has sent it to the room.",
};

class Panel {
  #root; #state; #lines; #notice; #socket; #attempts = 0;

  constructor(root) {
    this.#root = root;
    this.#state = root.querySelector(".state");
    this.#lines = root.querySelector(".lines");
    this.#notice = root.querySelector(".notice");
    const form = root.querySelector("form");
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      if (this.#socket.readyState !== WebSocket.OPEN) return;
      this.#socket.send(JSON.stringify({ text: form.text.value }));
      form.reset();
    });
    this.#connect();
  }

  #connect() {
    const scheme = location.protocol === "https:" ? "wss:" : "ws:";
    this.#socket = new WebSocket(`${scheme}//${location.host}${this.#root.dataset.path}`);
    this.#socket.onmessage = (event) => this.#receive(JSON.parse(event.data));
    this.#socket.onclose = (event) => {
      if (event.code === UNAUTHORIZED) {
        this.#show("closed", words.loggedOut);
        return;
      }
      this.#show("waiting", words.waiting);
      this.#attempts = Math.min(this.#attempts + 1, 5);
      setTimeout(() => this.#connect(), 500 + Math.random() * 500 * 2 ** this.#attempts);
    };
  }

  #receive(message) {
    switch (message.kind) {
      case "hello":
        this.#attempts = 0;
        this.#show("open", words.connected(this.#root.dataset.server, message.user));
        break;
      case "line":
        this.#add(message);
        break;
      case "down":
      case "gap":
        this.#notify(message.kind, words[message.kind]);
        break;
      case "unsent":
        this.#notify("down", (this.#root.id === "wye" ? words.unsent : words.unsentChannels)(message.text));
        break;
    }
  }

  #show(state, text) {
    this.#state.dataset.state = state;
    this.#state.textContent = text;
  }

  #notify(kind, text) {
    this.#notice.hidden = false;
    this.#notice.dataset.kind = kind;
    this.#notice.textContent = text;
  }

  #add({ user, text, via }) {
    const line = document.createElement("li");
    for (const [name, value] of [["who", user], ["text", text], ["via", `by ${via}`]]) {
      const part = document.createElement("span");
      part.className = name;
      part.dir = "auto";
      part.textContent = value;
      line.append(part, " ");
    }
    this.#lines.append(line);
    this.#lines.scrollTop = this.#lines.scrollHeight;
  }
}

for (const id of ["wye", "channels"]) new Panel(document.getElementById(id));

// The view is an ordinary form. It is sent by fetch, so that the page keeps its lines.
const view = document.getElementById("view"), form = view.querySelector("form");
form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const state = view.querySelector(".state");
  try {
    const answer = await fetch(form.action, { method: "POST", body: new FormData(form) });
    if (answer.redirected) { // to the login
      state.textContent = words.loggedOut;
      return;
    }
    state.textContent = answer.ok ? words.posted : await answer.text();
    if (answer.ok) form.reset();
  } catch (error) {
    state.textContent = `Django cannot be reached: ${error.message}`;
  }
});
