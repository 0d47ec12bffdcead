package main

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The files that the agent has are those that their sources make.
func TestFilesAreUpToDate(t *testing.T) {
	files, err := build("../page")
	if err != nil {
		t.Fatal(err)
	}
	there, err := os.ReadDir("../assets")
	if err != nil {
		t.Fatal(err)
	}
	if len(there) != len(files) {
		t.Errorf("there are %d files, want %d", len(there), len(files))
	}
	for name, want := range files {
		packed, err := os.ReadFile(filepath.Join("../assets", name+".gz"))
		if err != nil {
			t.Error(err)
			continue
		}
		z, err := gzip.NewReader(bytes.NewReader(packed))
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(z)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s is not what its sources make (%v): make page", name, err)
		}
	}
}

// What is not ours is what its authors published, by the sums of its files.
func TestVendoredFilesAreUnchanged(t *testing.T) {
	sums, err := os.ReadFile("../page/vendor/SHA256SUMS")
	if err != nil {
		t.Fatal(err)
	}
	listed := map[string]string{}
	for line := range strings.Lines(string(sums)) {
		sum, name, ok := strings.Cut(strings.TrimSpace(line), "  ")
		if !ok {
			t.Fatalf("%q", line)
		}
		listed[name] = sum
	}
	files, err := os.ReadDir("../page/vendor")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if f.Name() == "SHA256SUMS" || f.Name() == "README.md" {
			continue
		}
		text, err := os.ReadFile(filepath.Join("../page/vendor", f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256(text)
		if got := hex.EncodeToString(sum[:]); got != listed[f.Name()] {
			t.Errorf("%s has the sum %s, want %q", f.Name(), got, listed[f.Name()])
		}
		delete(listed, f.Name())
	}
	for name := range listed {
		t.Errorf("%s is not there", name)
	}
}
