package jobs

import (
	"bytes"
	"encoding/json"
	"strconv"
	"unicode"
	"unicode/utf8"
)

// request is all that a request may have. A member that is null counts as missing.
type request struct {
	Token     *string         `json:"clientToken"`
	Status    *Status         `json:"status"`
	Details   json.RawMessage `json:"statusDetails"`
	Expected  json.RawMessage `json:"expectedVersion"`
	Number    json.RawMessage `json:"executionNumber"`
	Step      json.RawMessage `json:"stepTimeoutInMinutes"`
	WithState bool            `json:"includeJobExecutionState"`
	// WithDocument is true if missing for get, and false for update.
	WithDocument *bool `json:"includeJobDocument"`

	details          map[string]string
	expected, number int64 // 0 is none
	step             int64 // 0 is none
}

// parse reads a request. With an error, the token is there if it could be read.
func parse(payload []byte) (r request, err *Error) {
	switch {
	case len(payload) == 0:
		return r, nil
	case len(payload) > maxPayload:
		return r, invalid("the payload has %d bytes, and may have %d", len(payload), maxPayload)
	case !utf8.Valid(payload) || !json.Valid(payload):
		return r, &Error{Code: InvalidJSON, Message: "Payload is not valid UTF-8 encoded JSON"}
	}
	if json.Unmarshal(payload, &r) != nil {
		var only struct {
			Token string `json:"clientToken"`
		}
		if json.Unmarshal(payload, &only) == nil && len(only.Token) <= maxToken {
			r = request{Token: &only.Token}
		} else {
			r = request{}
		}
		return r, invalid("Payload is not an object with members of the right types")
	}
	if r.Token != nil && len(*r.Token) > maxToken {
		r.Token = nil
		return r, invalid("clientToken has more than %d bytes", maxToken)
	}
	return r, r.values()
}

// values reads the members that come in several forms.
func (r *request) values() (err *Error) {
	for _, n := range []struct {
		name string
		from json.RawMessage
		to   *int64
	}{{"expectedVersion", r.Expected, &r.expected}, {"executionNumber", r.Number, &r.number}, {"stepTimeoutInMinutes", r.Step, &r.step}} {
		if *n.to, err = number(n.name, n.from); err != nil {
			return err
		}
	}
	if r.step < -1 || r.step > MaxMinutes {
		return invalid("stepTimeoutInMinutes %d: give 1 to %d, or -1 to stop the timer", r.step, MaxMinutes)
	}
	if r.expected < 0 || r.number < 0 {
		return invalid("expectedVersion and executionNumber are above 0")
	}
	return r.checkDetails()
}

// number reads an integer, as a number or, as the examples of the developer guide have
// expectedVersion, as a text. 0 stands for none, and cannot be given.
func number(name string, from json.RawMessage) (int64, *Error) {
	if len(from) == 0 || string(from) == "null" {
		return 0, nil
	}
	text := string(bytes.Trim(from, `"`))
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n == 0 {
		return 0, invalid("%s is not a whole number other than 0", name)
	}
	return n, nil
}

func (r *request) checkDetails() *Error {
	if len(r.Details) == 0 || string(r.Details) == "null" {
		return nil
	}
	if len(r.Details) > MaxDetails {
		return invalid("statusDetails have %d bytes, and may have %d", len(r.Details), MaxDetails)
	}
	if json.Unmarshal(r.Details, &r.details) != nil {
		return invalid("statusDetails is not an object of strings")
	}
	for key, value := range r.details {
		if len(key) > maxKey || !isKey(key) {
			return invalid("statusDetails: a name has 1 to %d characters of a-z, A-Z, 0-9, :, _ and -", maxKey)
		}
		if n := utf8.RuneCountInString(value); n == 0 || n > maxDetail || hasControl(value) {
			return invalid("statusDetails: %s has 1 to %d characters, none of them a control character", key, maxDetail)
		}
	}
	return nil
}

func hasControl(text string) bool {
	for _, c := range text {
		if unicode.In(c, unicode.C) {
			return true
		}
	}
	return false
}
