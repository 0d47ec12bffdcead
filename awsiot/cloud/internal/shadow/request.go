package shadow

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"unicode/utf8"
)

// Error is a refusal, with the codes of HTTP and the texts of device-shadow-error-messages.
type Error struct {
	Code    int
	Message string
}

// Error makes it an error.
func (e *Error) Error() string { return fmt.Sprintf("%d: %s", e.Code, e.Message) }

// The refusals.
var (
	errJSON     = &Error{400, "Invalid JSON"}
	errNoState  = &Error{400, "Missing required node: state"}
	errState    = &Error{400, "State node must be an object"}
	errDesired  = &Error{400, "Desired node must be an object"}
	errReported = &Error{400, "Reported node must be an object"}
	errVersion  = &Error{400, "Invalid version"}
	errToken    = &Error{400, "Invalid clientToken"}
	errDepth    = &Error{400, fmt.Sprintf("JSON contains too many levels of nesting; maximum is %d", MaxDepth)}
	errNode     = &Error{400, "State contains an invalid node"}
	errConflict = &Error{409, "Version conflict"}
	errTooLarge = &Error{413, "The payload exceeds the maximum size allowed"}
	errEncoding = &Error{415, "Unsupported documented encoding; supported encoding is UTF-8"}
)

// Refusals of whoever carries the requests.
var (
	ErrForbidden = &Error{403, "Forbidden"}
	ErrRate      = &Error{429, "Too Many Requests"}
	ErrInternal  = &Error{500, "Internal service failure"}
)

// request is an update as it comes. A section that the request does not have is nil, one to
// be removed is nil, too, and named in removes.
type request struct {
	token   any // a string, or nil without one
	version int64
	locked  bool // version is given
	state   Tree // as it came, for the answer
}

// parseToken reads a request that needs no content, and may have a token.
func parseToken(payload []byte) (token any, err *Error) {
	if len(payload) == 0 {
		return nil, nil
	}
	top, err := parseObject(payload)
	if err != nil {
		return nil, err
	}
	return tokenOf(top)
}

// parseUpdate reads an update. With an error, the token is there if it could be read.
func parseUpdate(payload []byte) (r request, err *Error) {
	top, err := parseObject(payload)
	if err != nil {
		return r, err
	}
	if r.token, err = tokenOf(top); err != nil {
		return r, err
	}
	if v, given := top["version"]; given {
		n, ok := v.(json.Number)
		version, bad := n.Int64()
		if !ok || bad != nil || version < 0 {
			return r, errVersion
		}
		r.version, r.locked = version, true
	}
	state, given := top["state"]
	if !given {
		return r, errNoState
	}
	var ok bool
	if r.state, ok = state.(Tree); !ok {
		return r, errState
	}
	return r, checkState(r.state)
}

// checkState says what is wrong with the node state of an update.
func checkState(state Tree) *Error {
	for key, section := range state {
		_, isObject := section.(Tree)
		switch {
		case key != "desired" && key != "reported":
			return errNode
		case section == nil || isObject:
		case key == "desired":
			return errDesired
		default:
			return errReported
		}
	}
	levels, nulls := depth(state)
	switch {
	case levels > MaxDepth:
		return errDepth
	case nulls:
		return errJSON
	}
	return nil
}

func tokenOf(top Tree) (any, *Error) {
	token, given := top["clientToken"]
	if !given {
		return nil, nil
	}
	if text, ok := token.(string); !ok || len(text) > MaxToken {
		return nil, errToken
	}
	return token, nil
}

func parseObject(payload []byte) (Tree, *Error) {
	switch {
	case len(payload) > MaxState:
		return nil, errTooLarge
	case !utf8.Valid(payload):
		return nil, errEncoding
	}
	var top any
	d := json.NewDecoder(bytes.NewReader(payload))
	d.UseNumber()
	if d.Decode(&top) != nil {
		return nil, errJSON
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, errJSON
	}
	object, ok := top.(Tree)
	if !ok {
		return nil, errJSON
	}
	return object, nil
}
