// Expressions in texts and conditions, evaluated by GitHub's own library.
import { data, Evaluator, Lexer, Parser } from "@actions/expressions";

const MARKED = /\$\{\{(.*?)\}\}/gs;
const STATUS = /\b(always|success|failure|cancelled)\s*\(/i;

const known = (value) => {
  if (value === null || value === undefined) return new data.Null();
  if (typeof value === "string") return new data.StringData(value);
  if (typeof value === "number") return new data.NumberData(value);
  if (typeof value === "boolean") return new data.BooleanData(value);
  if (Array.isArray(value)) return new data.Array(...value.map(known));
  return new data.Dictionary(
    ...Object.entries(value).map(([key, each]) => ({ key, value: known(each) })),
  );
};

const plain = (value) => JSON.parse(JSON.stringify(value, data.replacer));

const asText = (value) =>
  value === null || value === undefined
    ? ""
    : typeof value === "object"
      ? Array.isArray(value) ? "Array" : "Object"
      : String(value);

/** The value of one expression. `status` says how the steps or jobs before it ended. */
export function evaluate(source, contexts, status) {
  const answers = {
    always: true,
    success: status === "success",
    failure: status === "failure",
    cancelled: false,
  };
  const functions = Object.entries(answers).map(([name, answer]) => ({
    name,
    minArgs: 0,
    maxArgs: 9,
    call: () => new data.BooleanData(answer),
  }));
  const tokens = new Lexer(source).lex().tokens;
  const parsed = new Parser(tokens, Object.keys(contexts), functions).parse();
  const map = new Map(functions.map((each) => [each.name, each]));
  return plain(new Evaluator(parsed, known(contexts), map).evaluate());
}

/** A text with every expression in it replaced; one that is an expression as a whole stays typed. */
export function filled(value, contexts) {
  if (Array.isArray(value)) return value.map((each) => filled(each, contexts));
  if (value && typeof value === "object")
    return Object.fromEntries(
      Object.entries(value).map(([key, each]) => [key, filled(each, contexts)]),
    );
  if (typeof value !== "string" || !value.includes("${{")) return value;
  const whole = /^\s*\$\{\{((?:(?!\}\}).)*)\}\}\s*$/s.exec(value);
  if (whole) return evaluate(whole[1], contexts);
  return value.replace(MARKED, (_, inside) => asText(evaluate(inside, contexts)));
}

/** Whether a condition holds; one that asks for no status wants success, as on GitHub. */
export function holds(condition, contexts, status) {
  if (condition === undefined || condition === "") return status === "success";
  const source = String(condition).replace(/^\s*\$\{\{(.*)\}\}\s*$/s, "$1");
  const answer = evaluate(source, contexts, status);
  return Boolean(answer) && (STATUS.test(source) || status === "success");
}
