// GitHub's own parser on files; prints what it objects to, one line each.
import { readFileSync } from "node:fs";
import { register } from "node:module";

// Its schema is imported as JSON without the attribute that Node wants.
const hook = `
export async function resolve(name, context, next) {
  const found = await next(name, context);
  return name.endsWith(".json") ? { ...found, importAttributes: { type: "json" } } : found;
}`;
register("data:text/javascript," + encodeURIComponent(hook));

const { convertWorkflowTemplate, NoOperationTraceWriter, parseWorkflow } = await import(
  "@actions/workflow-parser"
);
for (const name of process.argv.slice(2)) {
  const file = { name, content: readFileSync(name, "utf8") };
  const { context, value } = parseWorkflow(file, new NoOperationTraceWriter());
  const template = value ? await convertWorkflowTemplate(context, value) : undefined;
  for (const error of context.errors.getErrors()) console.log(`${name}: ${error.message}`);
  if (!template?.jobs?.length) console.log(`${name}: no jobs`);
}
console.log("parsed " + (process.argv.length - 2));
