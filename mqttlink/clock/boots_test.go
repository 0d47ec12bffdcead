package clock

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func testBoot(n int) boot {
	return boot{id: [16]byte{1, byte(n >> 8), byte(n)}, began: time.Date(2026, 1, 1, 0, 0, n, n, time.UTC), by: ByKernel}
}

func TestBootsFile(t *testing.T) {
	dir := t.TempDir()
	var all []boot
	for n := range maxBoots + 10 {
		all = putBoot(all, testBoot(n))
	}
	all = putBoot(all, testBoot(100)) // learnt anew: the youngest now
	if len(all) != maxBoots || all[0] != testBoot(10) || all[maxBoots-1] != testBoot(100) {
		t.Errorf("%d boots from %v to %v", len(all), all[0], all[len(all)-1])
	}
	stray := filepath.Join(dir, "boots.1.tmp")
	if err := os.WriteFile(stray, []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := writeBoots(dir, all); err != nil {
			t.Fatal(err)
		}
	}
	if got := readBoots(dir); !slices.Equal(got, all) {
		t.Errorf("read %d boots, wrote %d", len(got), len(all))
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		t.Errorf("%v in the folder", entries)
	}
	if info, err := entries[0].Info(); err != nil || info.Size() > maxBytes {
		t.Errorf("%d bytes, of which %d are read", info.Size(), maxBytes)
	}
}

// A line that was damaged is not known, and the others are.
func TestDamagedBoots(t *testing.T) {
	good := []boot{testBoot(1), testBoot(2), testBoot(3)}
	text := formatBoots(good)
	for i := len(bootsHead); i < len(text); i++ {
		damaged := []byte(text)
		damaged[i] ^= 1
		for _, b := range parseBoots(string(damaged)) {
			if !slices.Contains(good, b) {
				t.Fatalf("byte %d damaged makes %v", i, b)
			}
		}
	}
	for i := range text {
		for _, b := range parseBoots(text[:i]) {
			if !slices.Contains(good, b) {
				t.Fatalf("the first %d bytes make %v", i, b)
			}
		}
	}
}

func FuzzBoots(f *testing.F) {
	f.Add(formatBoots([]boot{testBoot(1), testBoot(2)}))
	f.Add("58b7b752-7806-4438-a352-afb72d53bbd8 2026-11-25T08:14:21.5Z kernel 00000000\n")
	f.Add(strings.Repeat("x ", 1000))
	f.Fuzz(func(t *testing.T, text string) {
		all := parseBoots(text)
		if len(all) > maxBoots {
			t.Fatalf("%d boots", len(all))
		}
		for i, b := range all {
			if b.id == [16]byte{} || b.began.Before(earliest) || b.began.After(latest) {
				t.Fatalf("%+v", b)
			}
			if slices.ContainsFunc(all[:i], func(x boot) bool { return x.id == b.id }) {
				t.Fatal("a boot is there twice")
			}
		}
		// What was read can be written, and read again.
		again := parseBoots(formatBoots(all))
		if !slices.EqualFunc(again, all, func(a, b boot) bool { return a.id == b.id && a.began.Equal(b.began) && a.by == b.by }) {
			t.Fatalf("%v became %v", all, again)
		}
	})
}
