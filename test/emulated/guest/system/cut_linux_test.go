package system

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"

	"pithings/test/emulated/guest"
)

// What the tests of power cuts keep on the disk.
const (
	records = guest.Disk + "/records"
	pages   = guest.Disk + "/pictures" // where the pictures are, one file for each
	state   = guest.Disk + "/state"
)

// record is the n-th record: its length depends on n, so that most of them
// begin and end within a block.
func record(n int) []byte {
	return append(bytes.Repeat([]byte{byte('a' + n%26)}, 100+n%50), fmt.Sprintf(" %d\n", n)...)
}

// acknowledged is how many records were known to be safe before the last cut.
func acknowledged(t *testing.T) int {
	t.Helper()
	n, err := strconv.Atoi(os.Getenv("PITHINGS_TEST_RECORDS"))
	if err != nil {
		t.Skip("skipped: this machine's power is not cut")
	}
	return n
}

// checkRecords finds all records that were acknowledged, and returns the end of
// the last whole one.
func checkRecords(t *testing.T) (n int, end int64) {
	t.Helper()
	text, err := os.ReadFile(records)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	for {
		next := record(n)
		if !bytes.HasPrefix(text[end:], next) {
			break
		}
		n, end = n+1, end+int64(len(next))
	}
	if least := acknowledged(t); n < least {
		t.Errorf("%d records survived the power cut, %d were synchronised", n, least)
	}
	t.Logf("%d records survived", n)
	return n, end
}

// checkPictures finds the pictures of before, served by a program that has
// started anew.
func (a *app) checkPictures() {
	a.t.Helper()
	names, _ := filepath.Glob(pages + "/*")
	if len(names) == 0 {
		a.t.Error("no picture survived")
	}
	a.waitLog("web server listens") // a little later than the broker
	for _, name := range names {
		uri, err := os.ReadFile(name)
		if err != nil {
			a.t.Fatal(err)
		}
		fetch(a.t, string(uri))
	}
	a.t.Logf("%d pictures survived", len(names))
}

// TestBeforeAPowerCut keeps the program's state on the disk, and writes records
// until the power is cut.
func TestBeforeAPowerCut(t *testing.T) {
	first := acknowledged(t) == 0
	n, end := checkRecords(t)
	a := start(t, how{state: state}, "things:\n"+camera)
	if !first {
		a.checkPictures()
	}
	if err := os.MkdirAll(pages, 0o755); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(records, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Truncate(end); err != nil {
		t.Fatal(err)
	}
	a.capturesAgain("TG_Camera") // it listens a little later than the broker
	for ; ; n++ {
		if n%10 == 0 {
			uri := a.capture("TG_Camera")
			// The program does not wait for the medium with each picture; the
			// kernel would write it within half a minute.
			unix.Sync()
			synced(t, filepath.Join(pages, strconv.Itoa(n)), uri)
		}
		if _, err := f.WriteAt(record(n), end); err != nil {
			t.Fatal(err)
		}
		if err := f.Sync(); err != nil {
			t.Fatal(err)
		}
		end += int64(len(record(n)))
		fmt.Printf("record %d\n", n+1)
	}
}

// synced writes a small file that survives what follows.
func synced(t *testing.T, name, text string) {
	t.Helper()
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.WriteString(text)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		t.Fatal(err)
	}
	dir, err := os.Open(filepath.Dir(name))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(dir.Sync(), dir.Close()); err != nil {
		t.Fatal(err)
	}
}

// TestAfterAPowerCut finds what was there, and works.
func TestAfterAPowerCut(t *testing.T) {
	acknowledged(t)
	checkRecords(t)
	a := start(t, how{state: state}, "things:\n"+camera)
	a.checkPictures()
	a.capturesAgain("TG_Camera")
	a.end()
}
