// Package ops has what operators and built-in protocols do: arithmetic, comparison,
// indices and slices, attributes, iteration, texts of values, and the formats of
// f-strings, str.format and %.
package ops
