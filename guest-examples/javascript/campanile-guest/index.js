// The parts of a message: everything here runs without the engine too.

export { html } from "./escape.js";
export { buildUrl, isWeb, logUrl } from "./links.js";
export { sorted } from "./order.js";
export { time } from "./time.js";
export { utf8Bytes, utf8Text } from "./utf8.js";
