/** What `kubectl get -o wide` tells of the pods that something makes. */
import type { KubernetesObject } from "../../ClusterObjects.ts"
import { at, objectsAt, selectorText, text, wide } from "../TableColumn.ts"

/** `path` leads to what holds template and selector. */
export const podColumns = (...path: ReadonlyArray<string>) => {
  const names = (key: string) => (object: KubernetesObject) =>
    objectsAt(object, ...path, "template", "spec", "containers")
      .map((container) => text(container[key]))
      .join(",")
  return [
    wide("Containers", names("name")),
    wide("Images", names("image")),
    wide("Selector", (object) => text(selectorText(at(object, ...path, "selector"))))
  ]
}
