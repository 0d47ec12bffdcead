package kernel

import (
	"os"
	"path/filepath"
	"testing"

	"pithings/hw"
)

// BenchmarkRead reads four channels of files on a disk, as of sysfs.
func BenchmarkRead(b *testing.B) {
	dir := b.TempDir()
	chip := filepath.Join(dir, "sys/class/hwmon/hwmon0")
	if err := os.MkdirAll(chip, 0o755); err != nil {
		b.Fatal(err)
	}
	for name, text := range map[string]string{"name": "ina219", "in0_input": "18", "in1_input": "5048", "curr1_input": "180", "power1_input": "920000"} {
		if err := os.WriteFile(filepath.Join(chip, name), []byte(text+"\n"), 0o644); err != nil {
			b.Fatal(err)
		}
	}
	root, err := hw.OpenFolder(dir)
	if err != nil {
		b.Fatal(err)
	}
	d, err := Open(root, "ina219", nil)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := d.Read(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}
