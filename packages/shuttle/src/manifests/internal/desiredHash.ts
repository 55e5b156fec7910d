import type { Manifest } from "../../kubernetes/Manifest.ts"
import { desiredHash, desiredHashAnnotation } from "../ShuttleAnnotations.ts"

/** Adds the annotation that holds the manifest's hash; `hashed` is hashed instead where the text holds secrets. */
export const withDesiredHash = (manifest: Manifest, hashed: unknown = manifest): Manifest => ({
  ...manifest,
  metadata: {
    ...manifest.metadata,
    annotations: { ...manifest.metadata.annotations, [desiredHashAnnotation]: desiredHash(hashed) }
  }
})
