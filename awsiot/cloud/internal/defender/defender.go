// Package defender checks the reports of AWS IoT Device Defender agents: their form, with the
// long and the short names, their ids and how often they come. It knows no topics, no files
// and no clock.
//
// It implements "Sending metrics from devices" of the AWS IoT Device Defender developer guide.
package defender

import (
	"encoding/json"
	"fmt"
	"time"
)

// Every is how far apart the reports of a device must be. One may arrive a little earlier
// than it was sent after the other.
const (
	Every  = 300 * time.Second
	travel = 2 * time.Second
)

// Error is a refusal, with AWS's codes.
type Error struct{ Code, Message string }

// Error makes it an error.
func (e *Error) Error() string { return e.Code + ": " + e.Message }

// The codes.
const (
	InvalidPayload = "InvalidPayload"
	Throttled      = "Throttled"
	Internal       = "InternalError"
)

func invalid(format string, args ...any) *Error {
	return &Error{InvalidPayload, fmt.Sprintf(format, args...)}
}

// Last is what is known of a device's last report.
type Last struct {
	ID int64 `json:"reportId"`
	At int64 `json:"at"` // in seconds since 1970
}

// Check checks a report, whose numbers are [json.Number], against the last one, which is
// nil for the first. id is 0 if the report has none.
func Check(report any, last *Last, now time.Time) (id int64, next *Last, err *Error) {
	top, ok := report.(map[string]any)
	if !ok {
		return 0, nil, invalid("the report is not an object of JSON or a map of CBOR")
	}
	if id, err = checkHeader(top); err != nil {
		return id, nil, err
	}
	if err := checkReport(top); err != nil {
		return id, nil, err
	}
	switch {
	case last == nil:
	case id <= last.ID:
		return id, nil, invalid("report_id %d is not above that of the last report, %d", id, last.ID)
	case now.Unix()-last.At < int64((Every-travel)/time.Second):
		return id, nil, &Error{Throttled, fmt.Sprintf("Reports are accepted every %d seconds", int(Every/time.Second))}
	}
	return id, &Last{id, now.Unix()}, nil
}

func checkHeader(top map[string]any) (id int64, err *Error) {
	header, given := member(top, "header", "hed")
	fields, ok := header.(map[string]any)
	if !given || !ok {
		return 0, invalid("header is missing, or no object")
	}
	value, _ := member(fields, "report_id", "rid")
	number, ok := value.(json.Number)
	id, bad := number.Int64()
	if !ok || bad != nil || id <= 0 {
		return 0, invalid("report_id is missing, or no whole number above 0")
	}
	version, _ := member(fields, "version", "v")
	if text, ok := version.(string); !ok || text != "1.0" && text != "1" {
		return id, invalid("version is not \"1.0\"")
	}
	return id, only(fields, "the header", "report_id", "rid", "version", "v")
}

// member returns a member by its long or its short name.
func member(object map[string]any, long, short string) (any, bool) {
	if v, given := object[long]; given {
		return v, true
	}
	v, given := object[short]
	return v, given
}

// only refuses members with other names.
func only(object map[string]any, what string, names ...string) *Error {
	for key := range object {
		known := false
		for _, n := range names {
			known = known || key == n
		}
		if !known {
			return invalid("%s has the unknown member %.40q", what, key)
		}
	}
	return nil
}
