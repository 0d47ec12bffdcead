package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
	"unicode/utf8"

	"pithings/mqttlink"
	"pithings/mqttlink/topic"
)

// A recording is a file of messages, an object of JSON in a line for each:
//
//	{"time":"2026-11-30T12:00:00.123456Z","topic":"hall/door","qos":1,"retain":false,"payload":"open"}
//	{"time":"2026-11-30T12:00:01.5Z","topic":"hall/picture","qos":0,"retain":false,"base64":"/9j/4AAQ"}
//
// time is when the message arrived, in UTC; qos the one with which it did; base64 stands for
// a payload that is no UTF-8.

// recorded is a message of a recording.
type recorded struct {
	Time    time.Time `json:"time"`
	Topic   string    `json:"topic"`
	QoS     byte      `json:"qos"`
	Retain  bool      `json:"retain"`
	Payload *string   `json:"payload,omitempty"`
	Base64  *[]byte   `json:"base64,omitempty"`
}

// recordingLine is the line of a message, with its end.
func recordingLine(m *mqttlink.Message, at time.Time) ([]byte, error) {
	r := recorded{Time: at.UTC().Round(0).Truncate(time.Microsecond), Topic: m.Topic, QoS: m.QoS, Retain: m.Retain}
	if utf8.Valid(m.Payload) {
		text := string(m.Payload)
		r.Payload = &text
	} else {
		r.Base64 = &m.Payload
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(r)
	return b.Bytes(), err
}

// parseRecordingLine reads a line without its end.
func parseRecordingLine(line []byte) (at time.Time, m mqttlink.Message, err error) {
	var r recorded
	d := json.NewDecoder(bytes.NewReader(line))
	d.DisallowUnknownFields()
	if err := d.Decode(&r); err != nil {
		return at, m, fmt.Errorf("it is no message of a recording: %w", err)
	}
	if _, err := d.Token(); err != io.EOF {
		return at, m, errors.New("there is more behind the message")
	}
	if err := topic.Check(r.Topic); err != nil {
		return at, m, err
	}
	switch {
	case r.Time.IsZero():
		return at, m, errors.New("it has no time")
	case r.QoS > 1:
		return at, m, fmt.Errorf("its qos is %d; 0 and 1 are supported", r.QoS)
	case (r.Payload == nil) == (r.Base64 == nil):
		return at, m, errors.New("it has to have payload or base64, and not both")
	}
	m = mqttlink.Message{Topic: r.Topic, QoS: r.QoS, Retain: r.Retain}
	if r.Base64 != nil {
		m.Payload = *r.Base64
	} else {
		m.Payload = []byte(*r.Payload)
	}
	if len(m.Payload) > watchAtMost {
		return at, m, fmt.Errorf("its payload has %d bytes; at most %d are sent", len(m.Payload), watchAtMost)
	}
	return r.Time, m, nil
}

// recordingLongest bounds a line, in bytes: watchAtMost bytes of text may all be written as
// \u001b.
const recordingLongest = 6*watchAtMost + 6*topic.MaxBytes + 200

// recording reads a recording line by line.
type recording struct {
	in   *bufio.Reader
	line int // the last one that was read
	buf  []byte
}

func newRecording(r io.Reader) *recording { return &recording{in: bufio.NewReaderSize(r, 64<<10)} }

// damagedLine is a line that is no message.
type damagedLine struct {
	line int
	err  error
}

func (d *damagedLine) Error() string { return fmt.Sprintf("line %d: %v", d.line, d.err) }

// next returns the next message, or io.EOF, or a *damagedLine, behind which reading continues.
func (r *recording) next() (at time.Time, m mqttlink.Message, err error) {
	r.buf = r.buf[:0]
	long := false
	for {
		part, err := r.in.ReadSlice('\n')
		if long = long || len(r.buf)+len(part) > recordingLongest; !long {
			r.buf = append(r.buf, part...)
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case err == io.EOF && len(r.buf) == 0 && !long:
			return at, m, io.EOF
		case err != nil && err != io.EOF:
			return at, m, err
		}
		r.line++
		cut := err == io.EOF
		if long {
			return at, m, &damagedLine{r.line, fmt.Errorf("it is longer than %d bytes", recordingLongest)}
		}
		at, m, err := parseRecordingLine(bytes.TrimRight(r.buf, "\r\n"))
		if err != nil && cut {
			err = fmt.Errorf("it is cut off: the recording ended in the middle of it (%w)", err)
		}
		if err != nil {
			return at, m, &damagedLine{r.line, err}
		}
		return at, m, nil
	}
}
