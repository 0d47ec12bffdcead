//go:build unix

package store

import (
	"errors"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestDiskFull(t *testing.T) {
	for _, tt := range []struct {
		name  string
		fails int // writes that find no room
		err   error
		want  string // pictures kept, of four and the one that finds no room
		ok    bool
	}{
		{"one picture makes way", 1, syscall.ENOSPC, "bcde", true},
		{"three pictures make way", 3, syscall.EDQUOT, "de", true},
		{"all pictures make way", 4, syscall.ENOSPC, "e", true},
		{"others filled the disk", 9, syscall.ENOSPC, "", false},
		{"the disk is read-only", 1, syscall.EROFS, "abcd", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := newDisk(t, t.TempDir(), Opts{})
			var names []string
			for i := range 4 {
				names = append(names, put(t, d, picture(i, 100), noon))
			}
			fails := tt.fails
			d.create = func(name string, data []byte, at time.Time) error {
				if fails--; fails >= 0 {
					return &os.PathError{Op: "write", Path: d.path(name), Err: tt.err}
				}
				return d.createFile(name, data, at)
			}
			uri, err := d.Put(t.Context(), picture(4, 100), noon)
			if tt.ok {
				if err != nil {
					t.Fatal(err)
				}
				names = append(names, uri[strings.LastIndexByte(uri, '/')+1:])
			} else if !errors.Is(err, tt.err) {
				t.Errorf("error %v, want %v", err, tt.err)
			}
			if got := kept(t, d, names); got != tt.want {
				t.Errorf("kept %q, want %q", got, tt.want)
			}
			entries, err := os.ReadDir(d.dir)
			if err != nil || len(entries) != len(tt.want) {
				t.Errorf("%d files left, error %v", len(entries), err)
			}
		})
	}
}
