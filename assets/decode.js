/* Typed arrays out of base64, as components/encode.py wrote them. */
"use strict";
(() => {
  const gex = (globalThis.gex ||= {});
  /** The flat typed array of a spec {dtype, bdata}; anything else is returned as it is. */
  function array(spec) {
    if (typeof spec?.bdata !== "string") return spec;
    const text = atob(spec.bdata);
    const bytes = new Uint8Array(text.length);
    for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
    return new (spec.dtype === "f8" ? Float64Array : Float32Array)(bytes.buffer);
  }

  /** The values of a spec; where it has `words`, the words that its numbers are places of. */
  function words(spec) {
    const values = array(spec);
    return spec.words ? Array.from(values, (place) => spec.words[place]) : values;
  }

  /** Rows of a spec that has a shape: views, not copies. */
  function matrix(spec) {
    const [rows, columns] = spec.shape.split(",").map(Number);
    const flat = array(spec);
    return Array.from({ length: rows }, (_, i) => flat.subarray(i * columns, (i + 1) * columns));
  }

  /** A trace as it came, its arrays decoded. */
  function trace(sent) {
    const copy = { ...sent };
    for (const name of ["x", "y"]) copy[name] = array(sent[name]);
    if (sent.z) copy.z = matrix(sent.z);
    return copy;
  }

  gex.decode = { array, words, matrix, trace };
})();
