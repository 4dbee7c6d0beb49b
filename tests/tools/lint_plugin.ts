/**
 * What the architecture promises about its source, checked in the editor and by `deno lint`:
 * layers import downwards only, the core is synchronous and deterministic, one place prints.
 *
 * Deno asks for a default export here.
 * @module
 */

/** Which layers and packages a layer may import; what stands in no list may not be imported. */
const layers = new Map([
  ["wire", { layers: [], packages: [] }],
  ["store", { layers: [], packages: ["lmdb", "node:*"] }],
  ["routing", { layers: ["wire", "store"], packages: [] }],
  ["session", { layers: ["wire", "routing", "store"], packages: [] }],
  ["broker", { layers: ["wire", "routing", "store", "session"], packages: [] }],
  ["access", { layers: ["wire", "routing", "session"], packages: ["node:*"] }],
  ["transport", { layers: ["wire", "session", "broker", "system"], packages: ["node:*"] }],
  ["bridge", { layers: ["wire", "session", "broker", "transport"], packages: ["node:*"] }],
  ["admin", { layers: ["wire", "broker", "access", "bridge"], packages: ["hono", "node:*"] }],
  [
    "config",
    {
      layers: ["wire", "broker", "access", "transport", "bridge"],
      packages: ["@std/ini", "node:*"],
    },
  ],
  ["system", { layers: [], packages: ["node:*"] }],
  [
    "plugins",
    {
      layers: ["wire", "routing", "session", "broker", "access", "config"],
      packages: ["node:*"],
    },
  ],
  [
    "server",
    {
      layers: [
        ...["wire", "store", "routing", "session", "broker", "access", "transport", "bridge"],
        ...["admin", "config", "system", "plugins"],
      ],
      packages: ["node:*"],
    },
  ],
  [
    "process",
    {
      layers: ["routing", "session", "store", "access", "config", "system", "plugins", "server"],
      packages: ["node:*"],
    },
  ],
] as [string, { layers: string[]; packages: string[] }][]);

/** Errors, mistakes in files and the log belong to every layer; they import none themselves. */
const common = new Set(["assert.ts", "error_text.ts", "log.ts", "mistake.ts", "version.ts"]);

/** What of the project beside its source a file may import. */
const beside = new Map([["version.ts", "../deno.json"]]);

/** No promise, timer, clock, chance or I/O in these: a simulation drives them. */
const core = new Set(["wire", "routing", "session", "broker"]);

const forbiddenInCore = new Set(
  ("Promise setTimeout setInterval setImmediate queueMicrotask Date performance crypto Deno " +
    "process globalThis fetch").split(" "),
);

const source = decodeURIComponent(new URL("../../src/", import.meta.url).pathname);

/** The path below `src/`, or undefined for a file elsewhere. */
function pathInSource(file: string): string | undefined {
  return file.startsWith(source) ? file.slice(source.length) : undefined;
}

/** The first folder below `src/`, or undefined for a file that lies in none. */
function layerOf(path: string | undefined): string | undefined {
  return path?.includes("/") ? path.slice(0, path.indexOf("/")) : undefined;
}

/** Says what is wrong with an import, or nothing. `path` is the importing file below `src/`. */
function importMistake(path: string, specifier: string): string | undefined {
  const layer = layerOf(path);
  if (layer === undefined && !common.has(path)) return undefined; // they wire the layers
  const allowed = layers.get(layer ?? "") ?? { layers: [], packages: ["node:*"] };
  if (layer !== undefined && !layers.has(layer)) {
    return `the layer ${layer} is not in the table of the architecture`;
  }
  if (!/^[./]/.test(specifier)) {
    const permitted = allowed.packages.some((name) =>
      name.endsWith("*")
        ? specifier.startsWith(name.slice(0, -1))
        : specifier === name || specifier.startsWith(`${name}/`)
    );
    return permitted ? undefined : `${layer ?? path} must not import the package ${specifier}`;
  }
  const target = pathInSource(
    decodeURIComponent(new URL(specifier, `file://${source}${path}`).pathname),
  );
  if (target === undefined) {
    if (beside.get(path) === specifier) return undefined;
    return `${layer ?? path} must not import from outside src: ${specifier}`;
  }
  if (common.has(target)) return undefined;
  const imported = layerOf(target);
  if (imported === undefined) {
    return `${layer ?? path} must not import ${target}: it wires the layers`;
  }
  if (imported === layer || allowed.layers.includes(imported)) return undefined;
  return `${layer ?? path} must not import the layer ${imported}`;
}

/** Whether the identifier is a name of its own, not the name of a property or of a member. */
function standsAlone(node: Deno.lint.Identifier): boolean {
  const parent = node.parent as unknown as Record<string, unknown>;
  if (parent.type === "MemberExpression") return parent.object === node || parent.computed === true;
  return parent.key !== node || parent.computed === true;
}

const plugin: Deno.lint.Plugin = {
  name: "sabethes",
  rules: {
    "layers": {
      create(context) {
        const path = pathInSource(context.filename);
        if (path === undefined) return {};
        const check = (node: Deno.lint.Node, from: Deno.lint.Node | null | undefined) => {
          const specifier = (from as { value?: unknown } | null | undefined)?.value;
          if (typeof specifier !== "string") return;
          const message = importMistake(path, specifier);
          if (message !== undefined) context.report({ node, message });
        };
        return {
          ImportDeclaration: (node) => check(node, node.source),
          ImportExpression: (node) => check(node, node.source),
          ExportNamedDeclaration: (node) => check(node, node.source),
          ExportAllDeclaration: (node) => check(node, node.source),
        };
      },
    },

    "synchronous-core": {
      create(context) {
        if (!core.has(layerOf(pathInSource(context.filename)) ?? "")) return {};
        const report = (node: Deno.lint.Node, what: string) =>
          context.report({
            node,
            message: `${what} in the core: time, disk, sockets and chance come in through ports`,
          });
        const checkFunction = (node: Deno.lint.Node & { async: boolean }) => {
          if (node.async) report(node, "async");
        };
        return {
          AwaitExpression: (node) => report(node, "await"),
          ForOfStatement: (node) => node.await && report(node, "for await"),
          FunctionDeclaration: checkFunction,
          FunctionExpression: checkFunction,
          ArrowFunctionExpression: checkFunction,
          Identifier(node) {
            if (forbiddenInCore.has(node.name) && standsAlone(node)) report(node, node.name);
          },
          "MemberExpression[object.name='Math'][property.name='random']": (node: Deno.lint.Node) =>
            report(node, "Math.random"),
        };
      },
    },

    "one-log": {
      create(context) {
        const path = pathInSource(context.filename);
        if (path === undefined || path === "log.ts") return {};
        return {
          Identifier(node) {
            if (node.name !== "console" || !standsAlone(node)) return;
            context.report({ node, message: "console belongs to src/log.ts alone" });
          },
        };
      },
    },
  },
};

export default plugin;
