package host

import "testing"

func BenchmarkRead(b *testing.B) {
	d := Open(tree(zeroW), nil)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := d.Read(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}
