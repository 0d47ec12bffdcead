package config

import (
	"path/filepath"
	"strings"
	"testing"
)

// TestPasswordFilesOfWindows: Notepad puts a mark before the text, which was taken for a part
// of the password (mqtt-cli#136); PowerShell's > writes UTF-16.
func TestPasswordFilesOfWindows(t *testing.T) {
	dir := t.TempDir()
	for name, tc := range map[string]struct{ text, want, err string }{
		"plain":           {"hush\n", "hush", ""},
		"mark":            {"\xef\xbb\xbfhush\r\n", "hush", ""},
		"mark, longest":   {"\xef\xbb\xbf" + strings.Repeat("x", maxPassword) + "\r\n", strings.Repeat("x", maxPassword), ""},
		"mark alone":      {"\xef\xbb\xbf\n", "", "the first line of"},
		"too long":        {strings.Repeat("x", maxPassword+1) + "\n", "", "too long"},
		"UTF-16":          {"\xff\xfeh\x00u\x00\r\x00\n\x00", "", "is UTF-16 text; save it as UTF-8"},
		"UTF-16, swapped": {"\xfe\xff\x00h\x00u\x00\n", "", "is UTF-16 text; save it as UTF-8"},
	} {
		path := write(t, filepath.Join(dir, name), tc.text, 0o600)
		got, err := ReadPassword(path)
		if got != tc.want || (err != nil) != (tc.err != "") || err != nil && !strings.Contains(err.Error(), tc.err) {
			t.Errorf("%s: %.20q, %v", name, got, err)
		}
	}
}
