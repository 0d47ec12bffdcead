//go:build linux

package history

import (
	"bytes"
	"context"
	endian "encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pithings/history"
	"pithings/test/binary"
)

// most is how many times the instructions of the encoder that reading and encoding may take.
const most = 2.0

// BenchmarkInstructions reads 90 days, and encodes the same points with encoding/json. It takes
// minutes: the emulator prints a line for each instruction.
func BenchmarkInstructions(b *testing.B) {
	const emulator = "qemu-arm-static"
	if _, err := exec.LookPath(emulator); err != nil {
		b.Skip(emulator + " is missing; apt-get install qemu-user-static")
	}
	dir := b.TempDir()
	if memory, err := os.MkdirTemp("/dev/shm", "history-"); err == nil { // thousands of syncs take minutes on a disk
		dir = memory
		b.Cleanup(func() { os.RemoveAll(memory) })
	}
	file := fill(b, dir)
	guest := filepath.Join(b.TempDir(), "guest")
	if err := binary.BuildPackage(guest, "pithings/test/bench/history/guest", "GOOS=linux", "GOARCH=arm", "GOARM=6"); err != nil {
		b.Fatal(err)
	}
	// Two runs that differ in how often the work is done: the difference is the work.
	count := func(what, file string) float64 {
		var of [2]int
		for i := range of {
			of[i] = instructions(b, emulator, guest, what, fmt.Sprint(1+i), dir, file)
		}
		return float64(of[1] - of[0])
	}
	read, encoded := count("read", file), count("json", points(b, dir, file))
	b.Logf("%d points: %.2f million instructions for reading and encoding, %.2f million for encoding/json: %.2f times", Days*24, read/1e6, encoded/1e6, read/encoded)
	if read < 1e5 || encoded < 1e5 {
		b.Errorf("too few instructions were counted")
	}
	if read > most*encoded {
		b.Errorf("%.2f times the instructions, want %.1f", read/encoded, most)
	}
}

// fill makes a history of 90 days, a reading a minute, and returns its file.
func fill(t testing.TB, dir string) string {
	t.Helper()
	s := history.New(history.Options{Dir: dir, Max: 1 << 30})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	key := history.Key{Thing: "hall", Quantity: "temperature", Unit: "°C"}
	for i := range Days * 24 * 60 {
		at := Begin.Add(time.Duration(i) * time.Minute)
		x := 21 + 5*math.Sin(float64(i)/1440*2*math.Pi) + math.Sin(float64(i)/15)
		s.Put(key, 2, at, math.Round(x*100)/100)
		if i%1000 == 0 {
			if _, err := s.List(); err != nil { // which places what was put
				t.Fatal(err)
			}
		}
	}
	all, err := s.List()
	if err != nil || len(all) != 1 {
		t.Fatalf("%+v, %v", all, err)
	}
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	return all[0].File
}

// points writes the points of the answer for the guest, and returns that file.
func points(t testing.TB, dir, file string) string {
	t.Helper()
	f, err := history.OpenFile(dir, file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var text bytes.Buffer
	var a history.Answer
	if err := errors.Join(f.WriteJSON(&text, Query()), json.Unmarshal(text.Bytes(), &a)); err != nil || len(a.Times) != Days*24 {
		t.Fatalf("%d points: %v", len(a.Times), err)
	}
	var data []byte
	for _, at := range a.Times {
		data = endian.LittleEndian.AppendUint64(data, uint64(at))
	}
	for _, column := range [][]*float64{a.Min, a.Mean, a.Max} {
		for _, v := range column {
			data = endian.LittleEndian.AppendUint64(data, math.Float64bits(*v))
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "points"), data, 0o600); err != nil {
		t.Fatal(err)
	}
	return "points"
}

// instructions runs a program on an emulated ARM1176 and counts the lines of the emulator, which
// prints one for each instruction.
func instructions(t testing.TB, emulator, program string, args ...string) int {
	t.Helper()
	option := "-one-insn-per-tb" // since QEMU 8.1
	if help, err := exec.Command(emulator, "-help").Output(); err == nil && !strings.Contains(string(help), option) {
		option = "-singlestep"
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	cmd := exec.CommandContext(t.Context(), emulator, append([]string{"-cpu", "arm1176", option, "-d", "exec,nochain", "-D", "/dev/fd/3", program}, args...)...)
	cmd.ExtraFiles = []*os.File{w}
	cmd.Env = append(os.Environ(), "GOGC=off", "GOMAXPROCS=1")
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	err = cmd.Start()
	w.Close()
	if err != nil {
		t.Fatal(err)
	}
	n, buffer := 0, make([]byte, 1<<20)
	for {
		got, err := r.Read(buffer)
		n += bytes.Count(buffer[:got], []byte{'\n'})
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := cmd.Wait(); err != nil {
		t.Fatalf("%v: %s", err, &said)
	}
	return n
}
