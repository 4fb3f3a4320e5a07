/* Typed arrays out of base64, as components/encode.py wrote them. */
"use strict";
(() => {
  const gex = (globalThis.gex ||= {});
  const KINDS = { f4: Float32Array, i1: Int8Array };

  /** The flat typed array of a spec {dtype, bdata}; anything else is returned as it is. */
  function array(spec) {
    if (!spec || !spec.bdata) return spec;
    const text = atob(spec.bdata);
    const bytes = new Uint8Array(text.length);
    for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
    return new KINDS[spec.dtype](bytes.buffer);
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
    if (sent.marker) copy.marker = { ...sent.marker, color: array(sent.marker.color) };
    return copy;
  }

  gex.decode = { array, matrix, trace };
})();
