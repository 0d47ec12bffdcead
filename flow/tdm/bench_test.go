package tdm

import "testing"

// BenchmarkReadAndImport reads the guide's three documents, the built-in models
// included.
func BenchmarkReadAndImport(b *testing.B) {
	files := readFiles(b, "testdata/security/*.graphql")
	var size int64
	for _, f := range files {
		size += int64(len(f.Text))
	}
	b.SetBytes(size + int64(len(builtinText)))
	b.ReportAllocs()
	for b.Loop() {
		mustImport(b, Options{}, files...)
	}
}
