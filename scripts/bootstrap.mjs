/**
 * What `npm start` and `npm test` do before anything else, on a machine that has only git and Node ≥ 20 with npm:
 * install the dependencies if they differ from the lockfile, and continue under a Node that runs TypeScript.
 * Plain JavaScript without dependencies: it runs before there are any.
 */
import { spawn } from "node:child_process"
import { createHash } from "node:crypto"
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { constants } from "node:os"
import { delimiter, dirname, join } from "node:path"
import { fileURLToPath } from "node:url"

/** Folder of the checkout, whatever the working directory is. */
export const root = dirname(dirname(fileURLToPath(import.meta.url)))

const modules = join(root, "node_modules")
const oldestNode = [20, 0]
/** First version that runs the workspace's TypeScript without a flag or a build step; the 23 line came too early. */
const typescriptNode = [22, 19]
/** Platforms whose Node comes from the npm registry when the machine's own is older than that. */
const platformsWithNode = ["linux-x64", "linux-arm64", "darwin-x64", "darwin-arm64"]
/** A step that printed nothing for this long says that it is still running. */
const silenceMillisecondsMax = 1_500
/** The install itself may run under an older Node than what is installed needs; that Node is installed with it. */
const irrelevant = /Unsupported engine/
/** A second signal within this time is the same Ctrl-C, delivered by the terminal and by npm. */
const sameSignalMilliseconds = 1_000
/** How soon the end of npm by force is noticed. */
const parentPollMilliseconds = 500

const isAtLeast = (version, [major, minor]) => {
  const [actualMajor, actualMinor] = version.replace(/^v/, "").split(".").map(Number)
  return actualMajor > major || (actualMajor === major && actualMinor >= minor)
}

/** Ends the program with a message for a person. */
export const fail = (message) => {
  process.stderr.write(`\n${message}\n`)
  process.exit(1)
}

const seconds = (since) => `${((Date.now() - since) / 1_000).toFixed(0)} s`

/** Prints what a step says, indented, and a sign of life while it is silent. Resolves to its exit status. */
const runVisibly = (title, command, args, environment) =>
  new Promise((resolve) => {
    const started = Date.now()
    let spoken = started
    const say = (text) => {
      spoken = Date.now()
      process.stdout.write(text)
    }
    say(`${title}\n`)
    const child = spawn(command, args, {
      cwd: root,
      env: environment,
      stdio: ["ignore", "pipe", "pipe"],
      shell: process.platform === "win32"
    })
    for (const stream of [child.stdout, child.stderr]) {
      let rest = ""
      stream.setEncoding("utf8")
      stream.on("data", (chunk) => {
        const lines = (rest + chunk).split(/\r?\n|\r/)
        rest = lines.pop() ?? ""
        for (const line of lines) if (line.trim() !== "" && !irrelevant.test(line)) say(`  ${line}\n`)
      })
      stream.on("end", () => {
        if (rest.trim() !== "") say(`  ${rest}\n`)
      })
    }
    const heartbeat = setInterval(() => {
      if (Date.now() - spoken >= silenceMillisecondsMax) say(`  … still at it (${seconds(started)})\n`)
    }, 250)
    const end = (status) => {
      clearInterval(heartbeat)
      resolve({ status, elapsed: seconds(started) })
    }
    child.once("error", (error) => {
      say(`  ${error.message}\n`)
      end(127)
    })
    child.once("close", (code, signal) => end(code ?? 128 + (constants.signals[signal] ?? 0)))
  })

/** `pnpm@<exact version>`, as package.json pins it. */
const packageManager = () => JSON.parse(readFileSync(join(root, "package.json"), "utf8")).packageManager

/** Identifies the dependencies that this checkout wants on this platform. */
const wanted = () => {
  const hash = createHash("sha256").update(`${process.platform}-${process.arch}\n`)
  for (const name of ["pnpm-workspace.yaml", "pnpm-lock.yaml"]) hash.update(readFileSync(join(root, name)))
  return hash.update(packageManager()).digest("hex")
}

let interruption

/** Status that a program ends with after the signal that this one has received; undefined when there was none. */
export const interrupted = () => interruption

/** Environment of everything that runs below: our own programs first, and development dependencies too. */
export const environment = () => {
  const { NODE_ENV: _, ...rest } = process.env
  return { ...rest, PATH: `${join(modules, ".bin")}${delimiter}${process.env.PATH ?? ""}` }
}

const install = async () => {
  const marker = join(modules, ".starform-lockfile")
  const hash = wanted()
  const isInstalled =
    existsSync(join(modules, ".modules.yaml")) && existsSync(marker) && readFileSync(marker, "utf8") === hash
  if (isInstalled) return
  const { status, elapsed } = await runVisibly(
    `Installing dependencies with ${packageManager()} (the first time takes up to a minute)`,
    "npx",
    `-y ${packageManager()} install --frozen-lockfile --prod=false --reporter=append-only`
      .concat(" --config.confirmModulesPurge=false")
      .split(" "),
    { ...environment(), npm_config_update_notifier: "false", npm_config_fund: "false" }
  )
  if (status !== 0) {
    fail(
      `The installation failed (status ${status}). The lines above say why. It needs the npm registry, ` +
        "about 600 MB of disk, and the right to write to this folder."
    )
  }
  mkdirSync(modules, { recursive: true })
  writeFileSync(marker, hash)
  process.stdout.write(`Dependencies installed in ${elapsed}\n`)
}

/**
 * Runs a program with our output until it ends, and resolves to its exit status. It gets a process group of its own,
 * so that a Ctrl-C reaches it once, from here, although the terminal and npm both deliver it to us; with an `input`
 * ("inherit") it stays in ours, because only a terminal's own group may read from it. It is told to end when npm, having
 * started us, is gone without a word.
 */
export const runToEnd = (command, args, options = {}) =>
  new Promise((resolve) => {
    const child = spawn(command, args, {
      cwd: root,
      env: { ...environment(), ...options.environment },
      stdio: [options.input ?? "ignore", "inherit", "inherit"],
      detached: process.platform !== "win32" && options.input === undefined
    })
    const last = new Map()
    const forward = (signal) => {
      const now = Date.now()
      if (now - (last.get(signal) ?? 0) < sameSignalMilliseconds) return
      last.set(signal, now)
      interruption = 128 + constants.signals[signal]
      child.kill(signal === "SIGHUP" ? "SIGTERM" : signal)
    }
    const signals = ["SIGINT", "SIGTERM", "SIGHUP"]
    for (const signal of signals) process.on(signal, forward)
    const npm = process.env.npm_lifecycle_event === undefined ? undefined : process.ppid
    const watch = setInterval(() => {
      if (npm === undefined || process.ppid === npm) return
      clearInterval(watch)
      forward("SIGTERM")
    }, parentPollMilliseconds)
    const end = (status) => {
      clearInterval(watch)
      for (const signal of signals) process.off(signal, forward)
      resolve(status)
    }
    child.once("error", (error) => {
      process.stderr.write(`${command}: ${error.message}\n`)
      end(127)
    })
    child.once("exit", (code, signal) => end(code ?? 128 + (constants.signals[signal] ?? 0)))
  })

/**
 * Returns once the dependencies are installed and this process is a Node that runs the workspace. Under an older Node
 * it runs `script` again with the Node from node_modules and ends with that one's exit status. `options.input` is what
 * that run has as its standard input ("ignore" unless given).
 */
export const bootstrap = async (script, options = {}) => {
  if (!isAtLeast(process.version, oldestNode)) {
    fail(`Starform needs Node ${oldestNode[0]} or newer; this is ${process.version} (${process.execPath}).`)
  }
  const platform = `${process.platform}-${process.arch}`
  const isModern = isAtLeast(process.version, typescriptNode) && !process.version.startsWith("v23.")
  if (!isModern && !platformsWithNode.includes(platform)) {
    fail(
      `Starform runs on Node ${typescriptNode.join(".")} or newer. This is ${process.version}, and for ${platform} ` +
        "no newer one can be had from the npm registry: install one and try again."
    )
  }
  await install()
  if (isModern) return
  const node = join(modules, ".bin", "node")
  if (process.env.STARFORM_NODE_CHOSEN !== undefined || !existsSync(node)) {
    fail(
      `Starform runs on Node ${typescriptNode.join(".")} or newer, and ${node} is missing or as old as the machine's ` +
        `own (${process.version}). Remove node_modules and try again.`
    )
  }
  process.exit(
    await runToEnd(node, [script, ...process.argv.slice(2)], {
      environment: { STARFORM_NODE_CHOSEN: node },
      input: options.input
    })
  )
}
