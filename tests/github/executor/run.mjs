// Runs the workflows that an event starts: `node run.mjs EVENT.json`, one line of JSON as the answer.
// EVENT: repository, work (a folder), name, ref, sha, payload, inputs, vars, secrets by environment,
// env by kind of machine ("hosted", "own"), only (names of workflow files).
import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { parse } from "yaml";
import { filled, holds } from "./evaluate.mjs";

const event = JSON.parse(readFileSync(process.argv[2], "utf8"));
const git = (...words) => execFileSync("git", words, { encoding: "utf8", stdio: "pipe" });
const FOLDER = ".github/workflows";
let clones = 0;

/** GitHub's patterns of branches and tags as regular expressions. */
const pattern = (text) =>
  new RegExp(
    `^${text.replace(/[.^$(){}|\\]/g, "\\$&").replace(/\*\*|\*/g, (all) => (all === "**" ? ".*" : "[^/]*"))}$`,
  );
const some = (patterns, name) => [patterns].flat().some((each) => pattern(each).test(name));

function starts(on) {
  const triggers =
    typeof on === "string" ? { [on]: {} }
    : Array.isArray(on) ? Object.fromEntries(on.map((each) => [each, {}]))
    : on;
  if (!(event.name in triggers)) return false;
  const filters = triggers[event.name] ?? {};
  if (event.name === "push") {
    const [kind, name] = /^refs\/(heads|tags)\/(.*)$/.exec(event.ref).slice(1);
    const wanted = kind === "heads" ? filters.branches : filters.tags;
    return wanted ? some(wanted, name) : !(filters.branches || filters.tags);
  }
  return !filters.types || [filters.types].flat().includes(event.payload?.action);
}

function github(workflow, job) {
  return {
    ...{ event_name: event.name, ref: event.ref, sha: event.sha, event: event.payload ?? {} },
    ...{ ref_name: event.ref.split("/").slice(2).join("/"), head_ref: event.head_ref ?? "" },
    ...{ repository: "owner/repository", actor: "somebody", run_id: "1", token: "the-token" },
    ...{ workflow, job },
  };
}

function legs(strategy, contexts) {
  const matrix = filled(strategy?.matrix, contexts);
  if (!matrix) return [{}];
  const { include = [], exclude: _, ...axes } = matrix;
  const product = Object.entries(axes).reduce(
    (rows, [name, values]) => rows.flatMap((row) => values.map((each) => ({ ...row, [name]: each }))),
    [{}],
  );
  const found = [...(Object.keys(axes).length ? product : []), ...include];
  if (!found.length) throw new Error("Matrix vector does not contain any values");
  return found;
}

/** What a step wrote into GITHUB_OUTPUT or GITHUB_ENV. */
function written(path) {
  const found = {};
  const lines = existsSync(path) ? readFileSync(path, "utf8").split("\n") : [];
  for (let n = 0; n < lines.length; n += 1) {
    const many = /^([^=]+?)<<(.+)$/.exec(lines[n]);
    const one = /^([^=]+)=(.*)$/.exec(lines[n]);
    if (many) {
      const end = lines.indexOf(many[2], n + 1);
      if (end < 0) throw new Error(`${many[1]} does not end`);
      found[many[1]] = lines.slice(n + 1, end).join("\n");
      n = end;
    } else if (one) found[one[1]] = one[2];
  }
  return found;
}

const actions = {
  "actions/checkout": (given, place) => {
    git("init", "--quiet", place.folder);
    const from = ["-C", place.folder, "fetch", "--quiet", event.repository];
    if (String(given["fetch-depth"]) === "0")
      git(...from, "+refs/heads/*:refs/remotes/origin/*", "+refs/tags/*:refs/tags/*");
    git(...from, given.ref === "main" ? "main" : event.sha);
    git("-C", place.folder, "checkout", "--quiet", "--force", "FETCH_HEAD");
  },
  "actions/setup-python": () => {},
  "actions/upload-artifact": (given, place) => {
    for (const each of given.path.trim().split("\n")) {
      const source = resolve(place.folder, each.trim());
      if (!existsSync(source)) {
        if (given["if-no-files-found"] === "error") throw new Error(`${each}: nothing there`);
        continue;
      }
      cpSync(source, join(place.store, given.name), { recursive: true });
    }
  },
  "actions/download-artifact": (given, place) => {
    const there = existsSync(place.store) ? readdirSync(place.store) : [];
    const named = there.filter((each) => some(given.name ?? given.pattern ?? "*", each));
    if (given.name && !named.length) throw new Error(`there is no artifact ${given.name}`);
    for (const each of named) {
      const apart = given.name || given["merge-multiple"] ? "" : each;
      cpSync(join(place.store, each), resolve(place.folder, given.path, apart), { recursive: true });
    }
  },
};

function runStep(step, place, contexts, number) {
  const files = {};
  for (const name of ["GITHUB_OUTPUT", "GITHUB_ENV", "GITHUB_STEP_SUMMARY", "GITHUB_PATH"])
    writeFileSync((files[name] = join(place.temporary, `${name}-${number}`)), "");
  const ended = spawnSync("bash", ["--noprofile", "--norc", "-e", "-o", "pipefail", "-c", filled(step.run, contexts)], {
    cwd: place.folder,
    encoding: "utf8",
    timeout: 60_000 * Number(step["timeout-minutes"] ?? place.minutes),
    env: {
      ...event.env[place.kind],
      ...{ CI: "true", GITHUB_ACTIONS: "true", GITHUB_EVENT_NAME: event.name, GITHUB_REF: event.ref },
      ...{ GITHUB_SHA: event.sha, GITHUB_REPOSITORY: "owner/repository", RUNNER_TEMP: place.temporary },
      ...{ GITHUB_WORKSPACE: place.folder },
      ...files,
      ...Object.fromEntries(Object.entries(contexts.env).map(([key, each]) => [key, String(each ?? "")])),
    },
  });
  return {
    ok: ended.status === 0,
    code: ended.status,
    log: `${ended.stdout}${ended.stderr}`,
    outputs: written(files.GITHUB_OUTPUT),
    env: written(files.GITHUB_ENV),
    summary: readFileSync(files.GITHUB_STEP_SUMMARY, "utf8"),
  };
}

function runLeg(flow, name, job, matrix, base, store) {
  clones += 1;
  const own = [job["runs-on"]].flat().includes("self-hosted");
  const folder = join(event.work, `job-${clones}`, "work");
  const temporary = join(event.work, `job-${clones}`, "temporary");
  for (const each of [folder, temporary]) mkdirSync(each, { recursive: true });
  const place = { folder, temporary, store, minutes: job["timeout-minutes"] ?? 360, kind: own ? "own" : "hosted" };
  const runner = { os: "Linux", temp: temporary };
  const contexts = { ...base, matrix, steps: {}, env: {}, runner };
  const environment = filled(job.environment?.name ?? job.environment, contexts);
  contexts.secrets = { GITHUB_TOKEN: "the-token", ...(environment ? event.secrets?.[environment] : {}) };
  const lasting = { ...filled(flow.env ?? {}, contexts), ...filled(job.env ?? {}, contexts) };
  const masked = Object.values(contexts.secrets).filter(Boolean);
  const hide = (text) => masked.reduce((found, each) => found.replaceAll(each, "***"), text);
  const told = { matrix, environment: environment ?? null, machine: place.kind, steps: [], summary: "" };
  told.concurrency = filled(job.concurrency?.group ?? null, contexts);
  let status = "success";
  for (const [number, step] of job.steps.entries()) {
    const own_ = { ...contexts, env: lasting };
    own_.env = { ...lasting, ...filled(step.env ?? {}, own_) };
    const seen = { name: filled(step.name ?? step.uses ?? step.run, own_), outcome: "skipped", log: "" };
    told.steps.push(seen);
    if (!holds(step.if, own_, status)) continue;
    let done;
    if (step.run) done = runStep(step, place, own_, number);
    else
      try {
        actions[step.uses.split("@")[0]](filled(step.with ?? {}, own_), place);
        done = { ok: true, log: "", outputs: {}, env: {}, summary: "" };
      } catch (error) {
        done = { ok: false, log: String(error.message), outputs: {}, env: {}, summary: "" };
      }
    Object.assign(lasting, done.env);
    Object.assign(seen, { outcome: done.ok ? "success" : "failure", code: done.code, log: hide(done.log) });
    told.summary += hide(done.summary);
    if (step.id) contexts.steps[step.id] = { outputs: done.outputs, outcome: seen.outcome, conclusion: seen.outcome };
    if (!done.ok && !filled(step["continue-on-error"], own_)) status = "failure";
  }
  told.result = status;
  told.outputs = filled(job.outputs ?? {}, { ...contexts, env: lasting });
  return told;
}

function run(file) {
  const flow = parse(git("-C", event.repository, "show", `${event.sha}:${FOLDER}/${file}`), { merge: false });
  if (!starts(flow.on)) return null;
  const store = join(event.work, "artifacts", file);
  mkdirSync(store, { recursive: true });
  const ended = {};
  const jobs = {};
  const left = Object.keys(flow.jobs);
  while (left.length) {
    const name = left.find((each) => [flow.jobs[each].needs ?? []].flat().every((need) => need in ended));
    if (name === undefined) throw new Error(`${left}: wait for each other`);
    left.splice(left.indexOf(name), 1);
    const job = flow.jobs[name];
    const wanted = [job.needs ?? []].flat();
    const needs = Object.fromEntries(wanted.map((each) => [each, ended[each]]));
    const all = Object.values(needs).map((each) => each.result);
    const status = all.includes("failure") ? "failure" : all.includes("skipped") ? "skipped" : "success";
    const base = {
      ...{ github: github(flow.name ?? file, name), needs, vars: event.vars ?? {} },
      ...{ inputs: event.inputs ?? {}, job: {}, strategy: {} },
    };
    if (!holds(job.if, base, status)) {
      ended[name] = { result: "skipped", outputs: {} };
      jobs[name] = { result: "skipped", legs: [] };
      continue;
    }
    const done = legs(job.strategy, base).map((matrix) => runLeg(flow, name, job, matrix, base, store));
    const result = done.some((each) => each.result === "failure") ? "failure" : "success";
    const outputs = Object.assign({}, ...done.map((each) => each.outputs));
    ended[name] = { result, outputs };
    jobs[name] = { result, outputs, legs: done };
  }
  const concurrency = filled(flow.concurrency?.group ?? null, { github: github("", ""), inputs: event.inputs ?? {} });
  return { file, jobs, concurrency };
}

const files = git("-C", event.repository, "ls-tree", "--name-only", event.sha, `${FOLDER}/`)
  .split("\n")
  .filter(Boolean)
  .map((each) => basename(each))
  .filter((each) => !event.only || event.only.includes(each));
mkdirSync(dirname(event.work), { recursive: true });
console.log(JSON.stringify(files.map(run).filter(Boolean)));
