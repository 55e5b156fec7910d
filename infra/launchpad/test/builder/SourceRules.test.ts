import { assert, describe, it } from "@effect/vitest"
import { isLfsPointer, refusedSource } from "@starform/launchpad/builder/SourceRules"
import { listingOf } from "./SourceListings.ts"

const modules = '[submodule "ui"]\n\tpath = vendor/ui\n\turl = ../ui.git\n'

describe("refusedSource", () => {
  it("refuses a commit without files", () => {
    assert.strictEqual(refusedSource(listingOf({}))?.code, "SourceInvalid")
  })

  it.each([
    ["that .gitmodules declares", listingOf({ ".gitmodules": modules, "package.json": "{}" })],
    ["that is only a link in the tree", listingOf({ "package.json": "{}" }, ["vendor/ui"])],
    ["that is all there is", listingOf({}, ["vendor/ui"])]
  ])("refuses a submodule %s, by its path", (_, source) => {
    const refused = refusedSource(source)
    assert.strictEqual(refused?.code, "SubmoduleRefused")
    assert.include(refused?.reason ?? "", "vendor/ui is a Git submodule")
  })

  it("takes a submodule that was replaced by its files", () => {
    assert.isUndefined(refusedSource(listingOf({ ".gitmodules": modules, "vendor/ui/index.js": "" })))
  })
})

describe("isLfsPointer", () => {
  it("knows a pointer by how it begins", () => {
    const pointer = `version https://git-lfs.github.com/spec/v1\noid sha256:${"0".repeat(64)}\nsize 12345\n`
    assert.isTrue(isLfsPointer(pointer))
    assert.isFalse(isLfsPointer(`# ${pointer}`))
  })
})
