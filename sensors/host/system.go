package host

import (
	"bytes"
	"fmt"
	"math"

	"pithings/device"
	"pithings/sensors/internal/sysfs"
)

// unexpected is the error of a text that the kernel does not write so.
func unexpected(text []byte) error {
	const most = 64
	return fmt.Errorf("%w: %q", ErrFormat, text[:min(len(text), most)])
}

// fields is a group of one file, whose text parse reads.
func fields(f *sysfs.Files, file string, parse func(text []byte, v []float64) error, quantities ...device.Quantity) (group, bool) {
	return group{file: file, quantities: quantities, read: func(f *sysfs.Files, v []float64) error {
		text, err := f.Text(file)
		if err != nil {
			return err
		}
		return parse(text, v)
	}}, exists(f, file)
}

// load is how many processes run or wait, on average over 1, 5 and 15 minutes.
func load(f *sysfs.Files) (group, bool) {
	q := func(name string) device.Quantity {
		return device.Quantity{Name: name, Precision: 2, Min: 0, Max: 1e5}
	}
	return fields(f, "proc/loadavg", numbers, q("load_1"), q("load_5"), q("load_15"))
}

// uptime is the time since the start of the kernel.
func uptime(f *sysfs.Files) (group, bool) {
	return fields(f, "proc/uptime", numbers, device.Quantity{Name: "uptime", Unit: "s", Class: "duration", Min: 0, Max: 1e10})
}

// numbers reads the first numbers of a line.
func numbers(text []byte, v []float64) error {
	words := bytes.Fields(text)
	if len(words) < len(v) {
		return unexpected(text)
	}
	var read [8]float64
	for i := range v {
		var err error
		if read[i], err = sysfs.Number(words[i]); err != nil {
			return unexpected(text)
		}
	}
	copy(v, read[:])
	return nil
}

// size is an amount of bytes. No machine has an exabyte.
func size(name string) device.Quantity {
	return device.Quantity{Name: name, Unit: "B", Class: "data_size", Min: 0, Max: 1e18}
}

func percent(name string) device.Quantity {
	return device.Quantity{Name: name, Unit: "%", Precision: 1, Min: 0, Max: 100}
}

// memory is the machine's memory, of which a program can have what is available.
func memory(f *sysfs.Files) (group, bool) {
	return fields(f, "proc/meminfo", parseMemory, size("memory_total"), size("memory_available"), percent("memory_used"))
}

// parseMemory reads meminfo: "MemTotal:  442292 kB", with kB of 1024 bytes.
func parseMemory(text []byte, v []float64) error {
	total, available := math.NaN(), math.NaN()
	for line := range bytes.Lines(text) {
		name, rest, _ := bytes.Cut(line, []byte(":"))
		var to *float64
		switch string(name) {
		case "MemTotal":
			to = &total
		case "MemAvailable":
			to = &available
		default:
			continue
		}
		number, ok := bytes.CutSuffix(bytes.TrimSpace(rest), []byte(" kB"))
		n, err := sysfs.Number(number)
		if !ok || err != nil {
			return unexpected(line)
		}
		*to = n * 1024
	}
	if !(total > 0 && available >= 0 && available <= total) {
		return unexpected(text)
	}
	v[0], v[1], v[2] = total, available, 100*(total-available)/total
	return nil
}

// Space is the space of a file system in bytes.
type Space struct {
	Total     uint64
	Available uint64 // to programs without privileges
	Free      uint64 // with what is reserved for the system
}

// diskPrefix is what the names of a folder's quantities begin with, and notes it in taken. The
// names of two folders may become one: /mnt/a-b and /mnt/a_b.
func diskPrefix(folder string, taken map[string]bool) string {
	name := "disk_"
	if n := sysfs.Name(folder); n != "" {
		name += n + "_"
	}
	prefix := name
	for n := 2; taken[prefix]; n++ {
		prefix = fmt.Sprintf("%s%d_", name, n)
	}
	taken[prefix] = true
	return prefix
}

// disk is the space of the file system that holds a folder. What is used counts
// as df(1) does: of what programs may use at all.
func disk(folder, prefix string, statfs func(string) (Space, error)) group {
	return group{
		file:       folder,
		quantities: []device.Quantity{size(prefix + "total"), size(prefix + "available"), percent(prefix + "used")},
		read: func(_ *sysfs.Files, v []float64) error {
			s, err := statfs(folder)
			if err != nil {
				return err
			}
			if s.Free > s.Total || s.Available > s.Free {
				return fmt.Errorf("%w: %d bytes of %d are free", ErrFormat, s.Free, s.Total)
			}
			v[0], v[1], v[2] = float64(s.Total), float64(s.Available), 0
			if used := float64(s.Total - s.Free); used > 0 {
				v[2] = 100 * used / (used + float64(s.Available))
			}
			return nil
		},
	}
}
