// All texts of the page in each language. A text with variables is a function. To add a
// language, add a table and an entry in `tables`.

const en = {
  skip: "Skip to the message field",
  side: "Rooms and people",
  close: "Close",
  anotherRoom: "Go to another room",
  go: "Go",
  people: "Who is here",
  leaveName: "Leave this name",
  connect: "Connect",
  reconnect: "Reconnect now",
  disconnect: "Disconnect",
  messages: "Messages",
  message: "Message",
  send: "Send",
  older: "Load older messages",
  loading: "Loading…",
  empty: "Nothing has been said here yet. Say hello!",
  hint: "Enter sends, Shift+Enter begins a new line",
  toEverybody: "To everybody",
  nameTitle: "What should people call you?",
  nameAbout: "The name is yours in this browser. Nobody else can have it.",
  name: "Name",
  enter: "Enter",
  leaveTitle: "Leave this name?",
  leaveAbout: "This browser forgets it. What was said stays, and nobody can have the name again, not even you.",
  stay: "Keep it",

  connecting: "Connecting…",
  open: "Connected",
  waiting: "Reconnecting",
  offline: "You are offline",
  closed: "Disconnected",
  again: (/** @type {number} */ s) => `in ${s} s`,

  you: "you",
  newer: "New",
  below: (/** @type {number} */ n) => n === 0 ? "Newest messages" : n === 1 ? "1 new message below" : `${n} new messages below`,
  left: (/** @type {number} */ n) => n < 0 ? `${-n} too many` : `${n} left`,
  say: "Say something",
  sayTo: (/** @type {string} */ name) => `Only ${name} will see this`,
  to: (/** @type {string} */ name) => `Only to ${name}`,
  toGone: (/** @type {string} */ name) => `Only to ${name}, who is not here now`,
  direct: (/** @type {string} */ name) => `Write to ${name} alone`,
  onlyYou: "only to you",
  onlyTo: (/** @type {string} */ name) => `only to ${name}`,
  sending: "Sending…",
  joined: (/** @type {string} */ name) => `${name} is here`,
  gone: (/** @type {string} */ name) => `${name} has left`,
  typing: (/** @type {string[]} */ names) =>
    names.length === 1 ? `${names[0]} is typing` :
      names.length === 2 ? `${names[0]} and ${names[1]} are typing` : "Several people are typing",
  today: "Today",
  yesterday: "Yesterday",

  slow: "That was fast. Your messages follow by themselves, one after the other.",
  crowd: "Much is being written from your network. Your messages follow by themselves.",
  pages: "That was fast. The older messages follow by themselves.",
  store: "The server cannot keep messages at the moment. Yours are sent again by themselves.",
  long: "That is too long. Here it is again, to be made shorter.",
  nothing: "There is nothing in that message.",
  nobody: "There is nobody to get that. Nobody has seen what you wrote.",
  malformed: "The server did not understand that message. Here it is again.",
  full: "There is no room at the moment. The page tries again by itself.",
  forbidden: "You may not be in this room.",
  nameTaken: "Somebody has that name already, or one that looks like it. Try another one.",
  nameBad: "That cannot be a name: 1 to 32 letters, digits, emoji, single spaces and punctuation, but no : and no *.",
  nameLong: "That name is too long: 32 characters are the most.",
  nameGuest: "Only guests have names that begin with “guest”. Try another one.",
  nameMixed: "That name has letters of several alphabets, so that it could be taken for another. Write it in one of them.",
  nameStore: "The server cannot keep the name at the moment. Try again in a little while.",
  nameSlow: "Many people want a name at the moment. Try again in a little while.",
  nameMany: "Many names have been taken from your network. Try again in a minute.",
  unreachable: "The server cannot be reached. Try again in a little while.",
};

/** @type {typeof en} */
const zh = {
  skip: "跳到输入框",
  side: "房间和成员",
  close: "关闭",
  anotherRoom: "前往其他房间",
  go: "进入",
  people: "在线成员",
  leaveName: "放弃此名字",
  connect: "连接",
  reconnect: "立即重连",
  disconnect: "断开",
  messages: "消息",
  message: "消息",
  send: "发送",
  older: "加载更早的消息",
  loading: "加载中…",
  empty: "这里还没有人说话，打个招呼吧！",
  hint: "Enter 发送，Shift+Enter 换行",
  toEverybody: "改为发给所有人",
  nameTitle: "怎么称呼你？",
  nameAbout: "这个名字在此浏览器中属于你，别人不能使用。",
  name: "名字",
  enter: "进入",
  leaveTitle: "放弃这个名字？",
  leaveAbout: "此浏览器将忘记这个名字。说过的话会保留，此后任何人（包括你）都不能再用这个名字。",
  stay: "保留",

  connecting: "正在连接…",
  open: "已连接",
  waiting: "等待重连",
  offline: "网络已断开",
  closed: "未连接",
  again: (s) => `${s} 秒后`,

  you: "你",
  newer: "新消息",
  below: (n) => n === 0 ? "回到最新消息" : `下方有 ${n} 条新消息`,
  left: (n) => n < 0 ? `超出 ${-n} 个字` : `还可输入 ${n} 个字`,
  say: "说点什么",
  sayTo: (name) => `只有 ${name} 能看到`,
  to: (name) => `只发给 ${name}`,
  toGone: (name) => `只发给 ${name}（当前不在线）`,
  direct: (name) => `私信 ${name}`,
  onlyYou: "仅你可见",
  onlyTo: (name) => `仅 ${name} 可见`,
  sending: "发送中…",
  joined: (name) => `${name} 来了`,
  gone: (name) => `${name} 离开了`,
  typing: (names) => names.length <= 2 ? `${names.join("、")} 正在输入` : "多人正在输入",
  today: "今天",
  yesterday: "昨天",

  slow: "发得太快了，剩下的消息会自动逐条发送。",
  crowd: "你所在的网络发送的内容太多，剩下的消息会自动逐条发送。",
  pages: "翻得太快了，更早的消息会自动加载。",
  store: "服务器暂时无法保存消息，稍后会自动重发。",
  long: "消息太长了，已放回输入框，请缩短后再发。",
  nothing: "消息是空的。",
  nobody: "没有这个人，谁也没有看到你写的内容。",
  malformed: "服务器无法理解这条消息，已放回输入框。",
  full: "暂时没有空位，页面会自动重试。",
  forbidden: "你不能进入这个房间。",
  nameTaken: "这个名字（或看起来一样的名字）已经有人用了，换一个吧。",
  nameBad: "不能用这个名字：须为 1 到 32 个文字、数字、表情、单个空格或标点，不能含 : 和 *。",
  nameLong: "名字太长了，最多 32 个字符。",
  nameGuest: "以“guest”开头的名字只给访客使用，换一个吧。",
  nameMixed: "名字里混用了不同的字母，容易与别人的混淆，请只用一种。",
  nameStore: "服务器暂时无法保存名字，请稍后再试。",
  nameSlow: "现在取名字的人太多，请稍后再试。",
  nameMany: "你所在的网络取的名字太多了，请一分钟后再试。",
  unreachable: "无法连接服务器，请稍后再试。",
};

const tables = { en, zh };

/** The first of the browser's languages that has a table. */
function choose() {
  for (const locale of navigator.languages ?? [navigator.language]) {
    const language = locale.toLowerCase().split("-")[0];
    if (language in tables) return { locale, table: tables[/** @type {keyof tables} */ (language)] };
  }
  return { locale: "en", table: en };
}

/** The locale decides how times and dates are written. */
export const { locale, table: words } = choose();

/** Sets the texts of elements with data-t, and the attributes named by data-t-ATTRIBUTE. */
export function translate() {
  document.documentElement.lang = locale;
  for (const element of document.querySelectorAll("[data-t]")) {
    element.textContent = word(element.getAttribute("data-t"));
  }
  for (const element of document.querySelectorAll("[data-t-aria-label]")) {
    element.setAttribute("aria-label", word(element.getAttribute("data-t-aria-label")));
  }
}

/** @param {string | null} key */
function word(key) {
  const found = /** @type {Record<string, unknown>} */ (words)[key ?? ""];
  if (typeof found !== "string") throw new Error(`no word for ${key}`);
  return found;
}
