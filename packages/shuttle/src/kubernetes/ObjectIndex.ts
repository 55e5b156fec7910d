/**
 * What is observed, by kind and name, and by project namespace. Plain memory, written by the watch loops and by the
 * answers to our own writes; an older version never replaces a newer one (INV-KUB-1).
 */
import type { ObservedObject } from "./ObservedObject.ts"
import { keyOf, type ObjectReference, type ResourceKind } from "./ResourceKind.ts"

/** Versions are decimal numbers that only grow; an unreadable one counts as newer. */
const isOlder = (a: string, b: string): boolean => {
  if (a.length !== b.length) return /^[0-9]+$/.test(a + b) && a.length < b.length
  return a < b
}

/** The namespace whose project an object belongs to; a Namespace belongs to its own. */
export const namespaceOf = (reference: ObjectReference): string => reference.namespace ?? reference.name

export class ObjectIndex {
  readonly #byNamespace = new Map<string, Map<string, ObservedObject>>()
  readonly #removed = new Map<string, string>()

  get(reference: ObjectReference): ObservedObject | undefined {
    return this.#byNamespace.get(namespaceOf(reference))?.get(keyOf(reference))
  }

  /** Whether the index has the object as it was at that version, or newer. */
  isKnown(reference: ObjectReference & { readonly uid: string; readonly resourceVersion: string }): boolean {
    const known = this.get(reference)
    return known?.uid === reference.uid && !isOlder(known.resourceVersion, reference.resourceVersion)
  }

  /** Every observed object of one project, in no particular order. */
  inNamespace(namespace: string): ReadonlyArray<ObservedObject> {
    return [...(this.#byNamespace.get(namespace)?.values() ?? [])]
  }

  namespaces(): ReadonlyArray<string> {
    return [...this.#byNamespace.keys()]
  }

  /** True when this was news. */
  put(object: ObservedObject): boolean {
    const key = keyOf(object)
    const known = this.get(object)
    if (known !== undefined && !isOlder(known.resourceVersion, object.resourceVersion)) return false
    const gone = this.#removed.get(object.uid)
    if (known === undefined && gone !== undefined && !isOlder(gone, object.resourceVersion)) return false
    const namespace = namespaceOf(object)
    const objects = this.#byNamespace.get(namespace) ?? new Map<string, ObservedObject>()
    objects.set(key, object)
    this.#byNamespace.set(namespace, objects)
    return true
  }

  /** Forgets an object, unless another one has its name by now. True when this was news. */
  remove(object: ObservedObject): boolean {
    const known = this.get(object)
    if (known === undefined || known.uid !== object.uid) return false
    if (isOlder(object.resourceVersion, known.resourceVersion)) return false
    const namespace = namespaceOf(object)
    const objects = this.#byNamespace.get(namespace)
    objects?.delete(keyOf(object))
    if (objects?.size === 0) this.#byNamespace.delete(namespace)
    this.#rememberRemoved(object)
    return true
  }

  /**
   * Makes the index agree with a complete list of one kind, taken at `resourceVersion`; what was written after that
   * version stays. Answers with what changed, gone objects included.
   */
  replace(
    kind: ResourceKind,
    objects: ReadonlyArray<ObservedObject>,
    resourceVersion: string
  ): ReadonlyArray<ObservedObject> {
    const listed = new Set(objects.map(keyOf))
    const changed = objects.filter((object) => this.put(object))
    for (const known of this.#ofKind(kind)) {
      if (listed.has(keyOf(known)) || isOlder(resourceVersion, known.resourceVersion)) continue
      if (this.remove(known)) changed.push(known)
    }
    return changed
  }

  #ofKind(kind: ResourceKind): ReadonlyArray<ObservedObject> {
    return [...this.#byNamespace.values()].flatMap((objects) =>
      [...objects.values()].filter((object) => object.kind === kind)
    )
  }

  /** An answer to our own write may arrive after the watch told of the deletion; the newest few are enough. */
  #rememberRemoved(object: ObservedObject): void {
    this.#removed.set(object.uid, object.resourceVersion)
    const oldest = this.#removed.keys().next()
    if (this.#removed.size > removedRemembered && oldest.done === false) this.#removed.delete(oldest.value)
  }
}

const removedRemembered = 1024
