package machine

import (
	"testing"
	"testing/fstest"
)

func at(files map[string]string) Machine {
	root := fstest.MapFS{}
	for name, text := range files {
		root[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return Machine{Root: root, Name: func() (string, error) { return "pi", nil }}
}

func TestSerial(t *testing.T) {
	for _, c := range []struct {
		file, text, want string
	}{
		{"proc/device-tree/serial-number", "10000000abcdef01\x00", "10000000abcdef01"},
		{"sys/firmware/devicetree/base/serial-number", "1421\x00", "1421"},
		{"proc/cpuinfo", "processor\t: 0\n\nHardware\t: BCM2835\nSerial\t\t: 00000000deadbeef\n", "00000000deadbeef"},
		{"proc/cpuinfo", "Serial\t\t: 0000000000000000\n", ""}, // other boards
		{"proc/cpuinfo", "processor : 0\n", ""},
	} {
		if got, err := at(map[string]string{c.file: c.text}).Serial(); got != c.want || (err == nil) != (c.want != "") {
			t.Errorf("%s %q: %q, %v", c.file, c.text, got, err)
		}
	}
}

// The id is the same on every run, fit for a UUID of version 4, and not the one in the file.
func TestID(t *testing.T) {
	const id = "3d1219c7c4c5404aaa1f6d2a48adfda4"
	got, err := at(map[string]string{"etc/machine-id": id + "\n"}).ID()
	again, _ := at(map[string]string{"etc/machine-id": id}).ID()
	if err != nil || got != again || len(got) != 32 || got == id || got[12] != '4' || got[16] < '8' || got[16] > 'b' {
		t.Errorf("%q, %q, %v", got, again, err)
	}
	for _, text := range []string{"", "uninitialized\n", "3d12\n"} {
		if got, err := at(map[string]string{"etc/machine-id": text}).ID(); err == nil {
			t.Errorf("%q gives %q", text, got)
		}
	}
}

// Copies of a card have one machine-id and many serial numbers.
func TestMarkTellsCopiesApart(t *testing.T) {
	const id = "3d1219c7c4c5404aaa1f6d2a48adfda4"
	serial := func(s string) Machine {
		return at(map[string]string{"etc/machine-id": id, "proc/device-tree/serial-number": s})
	}
	if a, again, b := serial("1").Mark(), serial("1").Mark(), serial("2").Mark(); a == b || a != again || a == "" {
		t.Errorf("%q %q %q", a, again, b)
	}
	if at(map[string]string{"etc/machine-id": id}).Mark() == "" || at(nil).Mark() != "" {
		t.Error("without a serial number")
	}
}
