package store

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

var noon = time.Date(2024, 5, 1, 12, 0, 0, 0, time.UTC)

func picture(n, size int) []byte {
	b := bytes.Repeat([]byte{byte(n)}, size)
	copy(b, []byte{0xFF, 0xD8, 0xFF})
	return b
}

func newDisk(t *testing.T, dir string, opts Opts) *Disk {
	t.Helper()
	d, err := NewDisk(dir, opts, func() string { return "http://pi:8080/pictures/" })
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func put(t *testing.T, d *Disk, b []byte, taken time.Time) (name string) {
	t.Helper()
	uri, err := d.Put(t.Context(), b, taken)
	if err != nil {
		t.Fatal(err)
	}
	name, ok := strings.CutPrefix(uri, "http://pi:8080/pictures/")
	if !ok || !IsName(name) {
		t.Fatalf("URI %q", uri)
	}
	return name
}

func request(d *Disk, method, target string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	r := httptest.NewRequest(method, "/", nil)
	r.URL.Path = target
	d.Handler().ServeHTTP(w, r)
	return w
}

func kept(t *testing.T, d *Disk, names []string) (list string) {
	t.Helper()
	for i, name := range names {
		_, err := os.Stat(d.path(name))
		onDisk := err == nil
		if served := request(d, "GET", "/"+name).Code == http.StatusOK; served != onDisk {
			t.Errorf("picture %d: on disk %v, served %v", i, onDisk, served)
		}
		if onDisk {
			list += string(rune('a' + i))
		}
	}
	return list
}

func TestRetention(t *testing.T) {
	for _, tt := range []struct {
		name  string
		opts  Opts
		sizes []int
		times []time.Duration // after noon
		want  string
	}{
		{"fewer than the limits", Opts{MaxCount: 5, MaxBytes: 1000}, []int{100, 100, 100}, nil, "abc"},
		{"by count", Opts{MaxCount: 2, MaxBytes: 1000}, []int{100, 100, 100, 100}, nil, "cd"},
		{"by bytes", Opts{MaxCount: 9, MaxBytes: 250}, []int{100, 100, 100}, nil, "bc"},
		{"exactly full", Opts{MaxCount: 9, MaxBytes: 300}, []int{100, 100, 100}, nil, "abc"},
		{"one large picture takes the place of many", Opts{MaxCount: 9, MaxBytes: 400}, []int{100, 100, 100, 350}, nil, "d"},
		{"one picture", Opts{MaxCount: 1, MaxBytes: 400}, []int{100, 100}, nil, "b"},
		{"the clock was in the future once", Opts{MaxCount: 2, MaxBytes: 1000}, []int{100, 100, 100, 100}, []time.Duration{0, 10000 * time.Hour, time.Minute, time.Hour}, "cd"},
		{"a boot in 1970", Opts{MaxCount: 2, MaxBytes: 1000}, []int{100, 100, 100}, []time.Duration{0, -noon.Sub(time.Unix(1, 0)), -noon.Sub(time.Unix(9, 0))}, "bc"},
		{"the clock was set back", Opts{MaxCount: 2, MaxBytes: 1000}, []int{100, 100, 100}, []time.Duration{0, -time.Hour, -2 * time.Hour}, "bc"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "pictures")
			d := newDisk(t, dir, tt.opts)
			var names []string
			var last int64
			for i, size := range tt.sizes {
				at := noon.Add(time.Duration(i) * time.Second)
				if tt.times != nil {
					at = noon.Add(tt.times[i])
				}
				names = append(names, put(t, d, picture(i, size), at))
			}
			if got := kept(t, d, names); got != tt.want {
				t.Errorf("kept %s, want %s", got, tt.want)
			}
			for i, size := range tt.sizes {
				if strings.ContainsRune(tt.want, rune('a'+i)) {
					last += int64(size)
				}
			}
			if n, b := d.Usage(); n != len(tt.want) || b != last {
				t.Errorf("usage %d pictures, %d bytes", n, b)
			}
			// The same after a restart, and again with a smaller limit.
			d = newDisk(t, dir, tt.opts)
			if got := kept(t, d, names); got != tt.want {
				t.Errorf("after a restart kept %s, want %s", got, tt.want)
			}
			d = newDisk(t, dir, Opts{MaxCount: 1})
			if got, want := kept(t, d, names), tt.want[len(tt.want)-1:]; got != want {
				t.Errorf("after a restart with room for one kept %s, want %s", got, want)
			}
		})
	}
}

func TestForeignFilesStay(t *testing.T) {
	dir := t.TempDir()
	foreign := []string{
		"holiday.jpg", "README", ".hidden", "ABCDEFGHIJKLMNOPQRSTUVWXYZ.jpg", "abcdefghijklmnopqrstuvwxyz.png",
		"abcdefghijklmnopqrstuvwxy1.jpg", "abcdefghijklmnopqrstuvwxyz.jpg.bak", "notes.part",
	}
	for _, name := range foreign {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("mine"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	folder := "aaaaaaaaaaaaaaaaaaaaaaaaaa.jpg"
	if err := os.Mkdir(filepath.Join(dir, folder), 0o755); err != nil {
		t.Fatal(err)
	}
	link := "bbbbbbbbbbbbbbbbbbbbbbbbbb.jpg"
	if err := os.Symlink("README", filepath.Join(dir, link)); err != nil {
		t.Logf("no symbolic links here: %v", err)
	}
	unfinished := "cccccccccccccccccccccccccc.jpg.part"
	empty := "dddddddddddddddddddddddddd.jpg"
	for name, data := range map[string]string{unfinished: "half", empty: ""} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	d := newDisk(t, dir, Opts{MaxCount: 1})
	for i := range 3 {
		put(t, d, picture(i, 100), noon)
	}
	for _, name := range append(foreign, folder) {
		if _, err := os.Lstat(filepath.Join(dir, name)); err != nil {
			t.Errorf("%s was touched: %v", name, err)
		}
		if w := request(d, "GET", "/"+name); w.Code != http.StatusNotFound {
			t.Errorf("%s is served", name)
		}
	}
	if w := request(d, "GET", "/"+link); w.Code != http.StatusNotFound {
		t.Error("a link is followed")
	}
	for _, name := range []string{unfinished, empty} {
		if _, err := os.Lstat(filepath.Join(dir, name)); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s was left", name)
		}
	}
}

func TestHandler(t *testing.T) {
	dir := t.TempDir()
	d := newDisk(t, filepath.Join(dir, "pictures"), Opts{})
	if err := os.WriteFile(filepath.Join(dir, "secret.jpg"), []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	data := picture(1, 5000)
	name := put(t, d, data, noon)
	for _, tt := range []struct {
		name, method, path string
		code               int
	}{
		{"picture", "GET", "/" + name, 200},
		{"head", "HEAD", "/" + name, 200},
		{"list", "GET", "/", 404},
		{"no path", "GET", "", 404},
		{"no slash", "GET", name, 404},
		{"two slashes", "GET", "//" + name, 404},
		{"slash after", "GET", "/" + name + "/", 404},
		{"another one", "GET", "/" + newName(), 404},
		{"upper case", "GET", "/" + strings.ToUpper(name), 404},
		{"traversal", "GET", "/../secret.jpg", 404},
		{"deeper traversal", "GET", "/x/../../secret.jpg", 404},
		{"backslashes", "GET", `/..\secret.jpg`, 404},
		{"traversal of the right length", "GET", "/" + strings.Repeat("../", 8) + "ab.jpg", 404},
		{"zero byte", "GET", "/" + name + "\x00", 404},
		{"unfinished", "GET", "/" + name + unfinishedSuffix, 404},
		{"post", "POST", "/" + name, 405},
		{"put", "PUT", "/" + name, 405},
		{"delete", "DELETE", "/" + name, 405},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := request(d, tt.method, tt.path)
			if w.Code != tt.code {
				t.Fatalf("status %d, want %d", w.Code, tt.code)
			}
			h := w.Header()
			if h.Get("X-Content-Type-Options") != "nosniff" {
				t.Error("no nosniff")
			}
			switch tt.code {
			case 200:
				if h.Get("Content-Type") != "image/jpeg" || h.Get("Content-Length") != "5000" || !strings.Contains(h.Get("Cache-Control"), "private") || !strings.Contains(h.Get("Cache-Control"), "immutable") {
					t.Errorf("headers %v", h)
				}
				if want := tt.method == "GET"; bytes.Equal(w.Body.Bytes(), data) != want {
					t.Errorf("%d bytes", w.Body.Len())
				}
			case 405:
				if h.Get("Allow") != "GET, HEAD" {
					t.Errorf("Allow is %q", h.Get("Allow"))
				}
				fallthrough
			default:
				if strings.HasPrefix(h.Get("Content-Type"), "image/") || strings.Contains(h.Get("Cache-Control"), "immutable") {
					t.Errorf("headers %v", h)
				}
			}
		})
	}
	if _, err := os.Stat(d.path(name)); err != nil {
		t.Error(err)
	}
}

func TestPermissions(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no permission bits there")
	}
	d := newDisk(t, filepath.Join(t.TempDir(), "a", "b"), Opts{Sync: true})
	name := put(t, d, picture(1, 100), noon)
	for p, want := range map[string]fs.FileMode{d.dir: 0o700 | fs.ModeDir, d.path(name): 0o600} {
		if info, err := os.Stat(p); err != nil || info.Mode() != want {
			t.Errorf("%s has mode %v, want %v", p, info.Mode(), want)
		}
	}
}

func TestPutRefuses(t *testing.T) {
	d := newDisk(t, t.TempDir(), Opts{MaxBytes: 1000})
	first := put(t, d, picture(1, 900), noon)
	if _, err := d.Put(t.Context(), picture(2, 1001), noon); err == nil || !strings.Contains(err.Error(), "1001 bytes") {
		t.Errorf("a picture larger than the store: %v", err)
	}
	d.baseURL = func() string { return "" }
	if _, err := d.Put(t.Context(), picture(2, 100), noon); err == nil || !strings.Contains(err.Error(), "base URL") {
		t.Errorf("no address: %v", err)
	}
	if got := kept(t, d, []string{first}); got != "a" {
		t.Error("the picture before is gone")
	}
	if _, err := NewDisk(t.TempDir(), Opts{MaxCount: -1}, nil); err == nil {
		t.Error("a negative limit is taken")
	}
	occupied := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(occupied, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := NewDisk(occupied, Opts{}, nil); err == nil || !strings.Contains(err.Error(), occupied) {
		t.Errorf("a file as folder: %v", err)
	}
}

func TestBaseURLIsAskedEachTime(t *testing.T) {
	base := "http://127.0.0.1:8080"
	d, err := NewDisk(t.TempDir(), Opts{}, func() string { return base })
	if err != nil {
		t.Fatal(err)
	}
	for _, base = range []string{"http://127.0.0.1:8080", "http://192.0.2.1:8080/p", "https://pi.example/p/"} {
		uri, err := d.Put(t.Context(), picture(1, 100), noon)
		if err != nil || path.Dir(uri) == "." || !strings.HasPrefix(uri, base) || strings.Contains(uri[8:], "//") {
			t.Errorf("%q for base %q, error %v", uri, base, err)
		}
	}
}

func TestFolderRemoved(t *testing.T) {
	d := newDisk(t, filepath.Join(t.TempDir(), "pictures"), Opts{MaxCount: 2})
	names := []string{put(t, d, picture(0, 100), noon)}
	if err := os.RemoveAll(d.dir); err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		names = append(names, put(t, d, picture(i+1, 100), noon))
	}
	if got := kept(t, d, names); got != "cd" {
		t.Errorf("kept %s", got)
	}
}

func TestPutAgainstGet(t *testing.T) {
	// Readers must see whole pictures or none while pictures come and go.
	d := newDisk(t, t.TempDir(), Opts{MaxCount: 3})
	ctx, cancel := context.WithCancel(t.Context())
	latest := make(chan string, 100)
	var writers, readers sync.WaitGroup
	for i := range 3 {
		writers.Go(func() {
			for j := range 60 {
				uri, err := d.Put(ctx, picture(i*60+j, 10_000), noon)
				if err != nil {
					t.Error(err)
					return
				}
				select {
				case latest <- "/" + path.Base(uri):
				default:
				}
			}
		})
	}
	server := httptest.NewServer(d.Handler())
	defer server.Close()
	var found, gone int
	var mu sync.Mutex
	for range 3 {
		readers.Go(func() {
			for {
				var p string
				select {
				case p = <-latest:
				case <-ctx.Done():
					return
				}
				r, err := http.Get(server.URL + p)
				if err != nil {
					t.Error(err)
					return
				}
				body, err := io.ReadAll(r.Body)
				r.Body.Close()
				mu.Lock()
				switch {
				case err != nil:
					t.Error(err)
				case r.StatusCode == http.StatusNotFound:
					gone++
				case r.StatusCode == http.StatusOK && len(body) == 10_000:
					found++
				default:
					t.Errorf("%s: %s with %d bytes", p, r.Status, len(body))
				}
				mu.Unlock()
			}
		})
	}
	writers.Wait()
	cancel()
	readers.Wait()
	t.Logf("%d pictures found, %d gone already", found, gone)
	entries, err := os.ReadDir(d.dir)
	if err != nil || len(entries) != 3 {
		t.Errorf("%d files left, error %v", len(entries), err)
	}
	if n, b := d.Usage(); n != 3 || b != 30_000 {
		t.Errorf("usage %d, %d", n, b)
	}
}

func TestNames(t *testing.T) {
	for range 100 {
		if n := newName(); !IsName(n) {
			t.Fatalf("%q is not a name", n)
		}
	}
}

// A name stands for one id, and an id has one name.
func TestIDs(t *testing.T) {
	for range 100 {
		name := newName()
		if id, ok := IDOf(name); !ok || id.Name() != name {
			t.Fatalf("%q: %v, %v", name, id, ok)
		}
	}
	for _, name := range []string{"", "x.jpg", ID{}.Name()[:nameLetters], strings.ToUpper(ID{}.Name()), "aaaaaaaaaaaaaaaaaaaaaaaaab.jpg"} {
		if id, ok := IDOf(name); ok {
			t.Errorf("%q is the name of %v", name, id)
		}
	}
}

func FuzzHandlerPath(f *testing.F) {
	dir := f.TempDir()
	d, err := NewDisk(filepath.Join(dir, "pictures"), Opts{}, func() string { return "http://x" })
	if err != nil {
		f.Fatal(err)
	}
	uri, err := d.Put(f.Context(), picture(1, 100), noon)
	if err != nil {
		f.Fatal(err)
	}
	ours := "/" + path.Base(uri)
	f.Add("/")
	f.Add(ours)
	f.Add("/../../etc/passwd")
	f.Fuzz(func(t *testing.T, p string) {
		if w := request(d, "GET", p); w.Code != http.StatusNotFound && p != ours {
			t.Errorf("%q gives %d", p, w.Code)
		}
	})
}
