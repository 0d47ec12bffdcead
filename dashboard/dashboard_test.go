package dashboard

import (
	"bytes"
	"compress/gzip"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func ask(t *testing.T, path string, header ...string) (*http.Response, []byte) {
	t.Helper()
	mux := http.NewServeMux()
	for _, r := range (Page{}).Routes() {
		if err := r.Check(); err != nil {
			t.Fatal(err)
		}
		mux.Handle(r.Pattern(), r.Handler)
	}
	req := httptest.NewRequest("GET", path, nil)
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	mux.ServeHTTP(w, req)
	answer := w.Result()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer, text
}

// Every file is handed out compressed, as it is to a client that cannot unpack it, and not again to
// one that has it.
func TestFilesAreHandedOut(t *testing.T) {
	files, err := fs.ReadDir(assets, "assets")
	if err != nil {
		t.Fatal(err)
	}
	total := 0
	for _, f := range files {
		name := strings.TrimSuffix(f.Name(), ".gz")
		path := "/page/" + name
		if name == "index.html" {
			path = "/"
		}
		packed, text := ask(t, path, "Accept-Encoding", "gzip, br")
		total += len(text)
		plain, whole := ask(t, path)
		z, err := gzip.NewReader(bytes.NewReader(text))
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		if unpacked, err := io.ReadAll(z); err != nil || !bytes.Equal(unpacked, whole) || packed.Header.Get("Content-Encoding") != "gzip" || plain.Header.Get("Content-Encoding") != "" {
			t.Errorf("%s: %v, %v, %v", path, err, packed.Header, plain.Header)
		}
		for _, answer := range []*http.Response{packed, plain} {
			if answer.StatusCode != http.StatusOK || answer.Header.Get("Content-Type") == "" || answer.Header.Get("Content-Security-Policy") != policy || answer.Header.Get("X-Frame-Options") == "" {
				t.Errorf("%s: %s %v", path, answer.Status, answer.Header)
			}
		}
		if again, text := ask(t, path, "If-None-Match", packed.Header.Get("ETag")); again.StatusCode != http.StatusNotModified || len(text) > 0 {
			t.Errorf("%s: %s", path, again.Status)
		}
	}
	if total > 150<<10 {
		t.Errorf("the page is %d bytes, and may be 150 KB", total)
	}
}

// There is nothing else, and no way out of the folder.
func TestOtherFilesAreNot(t *testing.T) {
	for _, path := range []string{"/page/none.js", "/page/..%2fdashboard.go", "/page/assets%2fpage.js", "/page/page.js.gz", "/page/%2e%2e%2f%2e%2e%2fetc%2fpasswd", "/page/a/b"} {
		if answer, _ := ask(t, path); answer.StatusCode != http.StatusNotFound && path != "/page/assets%2fpage.js" {
			t.Errorf("%s: %s", path, answer.Status)
		}
	}
}

// The page has no script, style or handler in its text, and names no other host.
func TestThePageIsStrict(t *testing.T) {
	_, text := ask(t, "/")
	for _, bad := range []string{"<script>", "<style", "style=", "onclick", "http:", "https:", "//"} {
		if strings.Contains(strings.ToLower(string(text)), bad) {
			t.Errorf("it has %s", bad)
		}
	}
	for _, need := range []string{`src="page/page.js"`, `href="page/style.css"`, `lang="en"`, "viewport"} {
		if !strings.Contains(string(text), need) {
			t.Errorf("it has no %s", need)
		}
	}
}
