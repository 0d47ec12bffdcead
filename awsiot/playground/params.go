package playground

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"pithings/quietlog"
)

// maxForm bounds the body of a request, in bytes.
const maxForm = 64 << 10

// maxSeconds is the longest time that can be given.
const maxSeconds = 24 * 60 * 60

// params reads the query and the form of a request. A form may be of any type, since curl -F makes
// another one than browsers do.
func params(w http.ResponseWriter, r *http.Request) error {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	err := r.ParseForm()
	if err == nil {
		err = r.ParseMultipartForm(maxForm)
	}
	if err != nil && !errors.Is(err, http.ErrNotMultipart) {
		return fmt.Errorf("the request: %w", err)
	}
	return nil
}

// first returns the first value that is not empty, of the names of one parameter.
func first(r *http.Request, names ...string) string {
	for _, name := range names {
		for _, v := range r.Form[name] {
			if v != "" {
				return v
			}
		}
	}
	return ""
}

// readConfig reads what a request to /config changes. said is the value that is answered: the last one.
func readConfig(r *http.Request) (c Config, said string, err error) {
	if v := first(r, "time", "fsampling"); v != "" {
		if c.Time, err = seconds("time", v, 1); err != nil {
			return c, "", err
		}
		said = v
	}
	if v := first(r, "ddm_sr"); v != "" {
		every, err := seconds("ddm_sr", v, 0)
		if err != nil {
			return c, "", err
		}
		c.Defender, said = &every, v
	}
	if v := first(r, "topic", "ftopic"); v != "" {
		if err := CheckTopic(Expand(v, "NAME")); err != nil {
			return c, "", err
		}
		c.Topic, said = v, v
	}
	if v := first(r, "payload", "fpayload"); v != "" {
		if err := CheckPayload([]byte(v)); err != nil {
			return c, "", err
		}
		c.Payload, said = []byte(v), v
	}
	if r.Form.Has("clean") {
		clean, err := truth(first(r, "clean"))
		if err != nil {
			return c, "", err
		}
		c.Clean, said = &clean, Clean
	}
	if r.Form.Has("reconnect") {
		c.Reconnect, said = true, Reconnect
	}
	return c, said, nil
}

// seconds reads a time.
func seconds(name, text string, least int) (time.Duration, error) {
	n, err := strconv.Atoi(text)
	if err != nil || n < least || n > maxSeconds {
		return 0, fmt.Errorf("%s=%s: give a whole number of seconds from %d to %d", name, quietlog.Short(text), least, maxSeconds)
	}
	return time.Duration(n) * time.Second, nil
}

// truth reads a flag. The playground's is given without a value.
func truth(text string) (bool, error) {
	if text == "" {
		return true, nil
	}
	b, err := strconv.ParseBool(text)
	if err != nil {
		return false, fmt.Errorf("clean=%s: give clean, clean=true or clean=false", quietlog.Short(text))
	}
	return b, nil
}
