package supervisor

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// secretKey is what keys of secrets are named in the files, and columns in the CSV files.
var secretKey = regexp.MustCompile(`(?i)passw|passphrase|pwd$|secret|token$|private.?key`)

// withoutSecrets empties the secrets in a value of JSON: a configuration is read by more
// people than a gateway's own memory. paths are those of the secrets that were there.
func withoutSecrets(raw json.RawMessage, path string) (clean json.RawMessage, paths []string) {
	if !secretIn.Match(raw) {
		return raw, nil
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber() // numbers stay as they were written
	var v any
	if d.Decode(&v) != nil {
		return raw, nil
	}
	v, paths = emptied(v, path, "")
	if len(paths) == 0 {
		return raw, nil
	}
	slices.Sort(paths)
	return marshal(v), paths
}

// pin is what keys of passwords are named that may be numbers.
var pin = regexp.MustCompile(`(?i)^(password|passwd|pwd)$`)

// secretIn is a quick look for texts that may be secretKey.
var secretIn = regexp.MustCompile(`(?i)passw|pwd|secret|token|private|passphrase|"key"`)

func emptied(v any, path, key string) (any, []string) {
	var paths []string
	switch x := v.(type) {
	case map[string]any:
		for k, item := range x {
			var more []string
			x[k], more = emptied(item, path+"."+k, k)
			paths = append(paths, more...)
		}
	case []any:
		for i, item := range x {
			var more []string
			x[i], more = emptied(item, fmt.Sprintf("%s[%d]", path, i), key)
			paths = append(paths, more...)
		}
	case string:
		if x != "" && (secretKey.MatchString(key) || strings.HasSuffix(path, "args.key")) { // the private key of a cloud
			return "", []string{path}
		}
	case json.Number:
		if pin.MatchString(key) {
			return "", []string{path}
		}
	}
	return v, paths
}
