/**
 * Renders a kustomization of infra/kubernetes as far as those are simple: resources, components, generated ConfigMaps,
 * images and replicas. Whatever else stands in one is an error, so that this never passes over something.
 */
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs"
import { dirname, join, relative } from "node:path"
import { fileURLToPath } from "node:url"
import { parse, parseAllDocuments } from "yaml"

export const root = fileURLToPath(new URL("../../../kubernetes", import.meta.url))

export interface ManifestObject {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: {
    readonly name: string
    readonly namespace?: string
    readonly labels?: Readonly<Record<string, string>>
  }
  readonly [field: string]: unknown
}

interface Generated {
  readonly name: string
  readonly namespace: string
  readonly files?: ReadonlyArray<string>
  readonly envs?: ReadonlyArray<string>
}

interface Kustomization {
  readonly kind: string
  readonly resources?: ReadonlyArray<string>
  readonly components?: ReadonlyArray<string>
  readonly configMapGenerator?: ReadonlyArray<Generated>
  readonly generatorOptions?: {
    readonly disableNameSuffixHash: true
    readonly labels: Readonly<Record<string, string>>
  }
  readonly images?: ReadonlyArray<{
    readonly name: string
    readonly newName: string
    readonly newTag: string
  }>
  readonly replicas?: ReadonlyArray<{ readonly name: string; readonly count: number }>
}

const understood = new Set([
  "apiVersion",
  "kind",
  "resources",
  "components",
  "configMapGenerator",
  "generatorOptions",
  "images",
  "replicas"
])

/** Every document of a file; a file that YAML does not take, or takes with a warning, is an error. */
export const documentsOf = (file: string): ReadonlyArray<ManifestObject> => {
  const documents = parseAllDocuments(readFileSync(file, "utf8"))
  if (!Array.isArray(documents)) return []
  return documents.map((document) => {
    const [problem] = [...document.errors, ...document.warnings]
    if (problem !== undefined) throw new Error(`${file}: ${problem.message}`)
    return document.toJS() as ManifestObject
  })
}

/** Files below a folder with one of the endings, by path from infra/kubernetes. */
export const filesBelow = (folder: string, ...endings: ReadonlyArray<string>): ReadonlyArray<string> =>
  readdirSync(folder, { recursive: true, encoding: "utf8" })
    .map((name) => join(folder, name))
    .filter((file) => statSync(file).isFile() && endings.some((ending) => file.endsWith(ending)))
    .map((file) => relative(root, file))
    .sort()

const envLines = (text: string): Readonly<Record<string, string>> =>
  Object.fromEntries(
    text
      .split("\n")
      .filter((line) => line !== "" && !line.startsWith("#"))
      .map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)])
  )

const generate = (
  folder: string,
  one: Generated,
  labels: Readonly<Record<string, string>>
): ManifestObject => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { name: one.name, namespace: one.namespace, labels },
  data: Object.assign(
    {},
    ...(one.envs ?? []).map((file) => envLines(readFileSync(join(folder, file), "utf8"))),
    ...(one.files ?? []).map((file) => ({
      [file.slice(file.lastIndexOf("/") + 1)]: readFileSync(join(folder, file), "utf8")
    }))
  ) as unknown
})

type Change = (object: ManifestObject) => ManifestObject

const mapDeep = (value: unknown, change: (key: string, value: unknown) => unknown): unknown => {
  if (Array.isArray(value)) return value.map((item) => mapDeep(item, change))
  if (typeof value !== "object" || value === null) return value
  return Object.fromEntries(
    Object.entries(value).map(([key, field]) => [key, mapDeep(change(key, field), change)])
  )
}

const withImages =
  (images: NonNullable<Kustomization["images"]>): Change =>
  (object) =>
    mapDeep(object, (key, value) => {
      const image = key === "image" ? images.find(({ name }) => name === value) : undefined
      return image === undefined ? value : `${image.newName}:${image.newTag}`
    }) as ManifestObject

const withReplicas =
  (replicas: NonNullable<Kustomization["replicas"]>): Change =>
  (object) => {
    const wanted = replicas.find(({ name }) => name === object.metadata.name)
    const spec = object["spec"]
    const counted = typeof spec === "object" && spec !== null && "replicas" in spec
    return wanted === undefined || !counted
      ? object
      : { ...object, spec: { ...spec, replicas: wanted.count } }
  }

const resource = (path: string): ReadonlyArray<ManifestObject> =>
  statSync(path).isDirectory() ? render(path) : documentsOf(path)

/** @param base what a component is added to */
export const render = (
  folder: string,
  base: ReadonlyArray<ManifestObject> = []
): ReadonlyArray<ManifestObject> => {
  const file = join(folder, "kustomization.yaml")
  const kustomization = parse(readFileSync(file, "utf8")) as Kustomization
  for (const key of Object.keys(kustomization)) {
    if (!understood.has(key)) throw new Error(`${file}: ${key} is more than this test renders`)
  }
  const own = [
    ...base,
    ...(kustomization.resources ?? []).flatMap((path) => resource(join(folder, path))),
    ...(kustomization.configMapGenerator ?? []).map((one) =>
      generate(folder, one, kustomization.generatorOptions?.labels ?? {})
    )
  ]
  const whole = (kustomization.components ?? []).reduce(
    (objects, path) => render(join(folder, path), objects),
    own as ReadonlyArray<ManifestObject>
  )
  return whole.map(withImages(kustomization.images ?? [])).map(withReplicas(kustomization.replicas ?? []))
}

/** Everything of Starform's own in one cluster. */
export const template = join(root, "overlays/template")

/** Files that no kustomization leads to. */
export const unreached = (): ReadonlyArray<string> => {
  const reached = new Set<string>()
  const visit = (folder: string): void => {
    const file = join(folder, "kustomization.yaml")
    reached.add(relative(root, file))
    const {
      components = [],
      configMapGenerator = [],
      resources = []
    } = parse(readFileSync(file, "utf8")) as Kustomization
    for (const path of [...resources, ...components].map((one) => join(folder, one))) {
      if (existsSync(join(path, "kustomization.yaml"))) visit(path)
      else reached.add(relative(root, path))
    }
    for (const { envs = [], files = [] } of configMapGenerator) {
      for (const one of [...envs, ...files]) reached.add(relative(root, join(folder, one)))
    }
  }
  visit(template)
  for (const file of filesBelow(join(root, "components"), "kustomization.yaml"))
    visit(dirname(join(root, file)))
  return ["base", "overlays", "components"]
    .flatMap((folder) => filesBelow(join(root, folder), ""))
    .filter((file) => !reached.has(file))
}
