// `console` for a component: its lines go to the tenant's callback log. Importing this file makes it the global one.

import * as logging from "campanile:notifier/logging@0.1.1";

const at = (level) => (...values) => logging.log(level, values.map(shown).join(" "));

globalThis.console = {
  debug: at("debug"),
  log: at("info"),
  info: at("info"),
  warn: at("warn"),
  error: at("error"),
};

function shown(value) {
  if (typeof value === "string") return value;
  if (value instanceof Error) return value.stack ? `${value}\n${value.stack}` : String(value);
  return JSON.stringify(value) ?? String(value);
}
