/** A `Dockerfile` at the root and nothing that this builder could use instead. */
import * as Result from "effect/Result"
import type { Detector } from "./BuildPlan.ts"
import { PlanRefused } from "./PlanRefused.ts"

export const detectDockerfile: Detector = ({ source }) =>
  source.files.has("Dockerfile")
    ? Result.fail(
        new PlanRefused({
          code: "NoDetector",
          reason:
            "found a Dockerfile: container builds come with a builder that has containers; this one builds on the host",
          advice:
            "Add a package.json with a start script or a Procfile, or connect a builder with containers."
        })
      )
    : undefined
