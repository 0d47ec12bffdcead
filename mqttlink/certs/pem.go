package certs

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"unicode/utf16"
)

// block is one piece of a file. Its type is what stands in the BEGIN line, or would
// for a DER file.
type block struct {
	kind      string
	der       []byte
	encrypted bool  // RFC 1421: by headers in front of the text
	err       error // why der cannot be read; der is empty then
}

// blocks splits the contents of a file, in whatever form it is.
func blocks(data []byte) []block {
	if list := derBlocks(data); len(list) > 0 {
		return list
	}
	return pemBlocks(plain(data))
}

// plain returns the contents of a text file as ASCII text with line breaks: from
// UTF-16 (PowerShell's > and Out-File), and with the line breaks that environment
// variables, JSON and YAML write as \n. A byte order mark of UTF-8 (Windows' Notepad) is
// text in front like any other.
func plain(data []byte) string {
	text := string(data)
	switch {
	case strings.HasPrefix(text, "\xff\xfe"), strings.HasPrefix(text, "-\x00-\x00"):
		text = fromUTF16(data, binary.LittleEndian)
	case strings.HasPrefix(text, "\xfe\xff"), strings.HasPrefix(text, "\x00-\x00-"):
		text = fromUTF16(data, binary.BigEndian)
	}
	if strings.Contains(text, `\n`) {
		text = strings.NewReplacer(`\r`, "", `\n`, "\n").Replace(text)
	}
	return text
}

func fromUTF16(data []byte, order binary.ByteOrder) string {
	units := make([]uint16, len(data)/2)
	for i := range units {
		units[i] = order.Uint16(data[2*i:])
	}
	return strings.TrimPrefix(string(utf16.Decode(units)), "\ufeff")
}

const (
	beginMark = "-----BEGIN "
	endMark   = "-----END "
	dashes    = "-----"
	maxLabel  = 64
)

var errCut = errors.New("it ends in the middle: the END line is missing")

// pemBlocks finds the PEM blocks of a text (RFC 7468). Unlike encoding/pem it takes
// them wherever they begin on a line, and whatever white space is between.
func pemBlocks(text string) []block {
	var list []block
	end := -1 // where the next END mark is; len(text) if there is none
	for at := 0; ; {
		begin := strings.Index(text[at:], beginMark)
		if begin < 0 {
			return list
		}
		begin += at
		at = begin + len(beginMark)
		label, ok := labelAt(text, at)
		if !ok {
			continue
		}
		at += len(label) + len(dashes)
		// The mark found for the block before serves until it is passed, so that a
		// file of BEGIN lines is read in one go.
		if end < at {
			if end = strings.Index(text[at:], endMark); end < 0 {
				end = len(text)
			} else {
				end += at
			}
		}
		b := block{kind: label}
		next := nextBegin(text[at:end])
		switch closing, ok := labelAt(text, end+len(endMark)); {
		case end == len(text) || next >= 0:
			b.err = errCut
		case !ok || closing != label:
			b.err = fmt.Errorf("its BEGIN line says %s, and its END line another word", clip(label))
			at = end
		default:
			b.der, b.encrypted, b.err = body(text[at:end])
			at = end + len(endMark) + len(label) + len(dashes)
		}
		list = append(list, b)
	}
}

// nextBegin finds the BEGIN of another block.
func nextBegin(s string) int { return strings.Index(s, beginMark) }

// labelAt returns the words between BEGIN or END and the dashes.
func labelAt(text string, at int) (string, bool) {
	if at > len(text) {
		return "", false
	}
	label, _, ok := strings.Cut(text[at:min(len(text), at+maxLabel+len(dashes))], dashes)
	return label, ok && label != "" && !strings.ContainsAny(label, "\r\n")
}

// body decodes what stands between BEGIN and END. Headers (RFC 1421) end with an
// empty line; in base64 there is no colon.
func body(text string) (der []byte, encrypted bool, err error) {
	if strings.Contains(text, ":") {
		encrypted = strings.Contains(text, "ENCRYPTED")
		i := strings.LastIndex(text, ":")
		_, rest, _ := strings.Cut(strings.ReplaceAll(text[i:], "\r", ""), "\n")
		text = rest
	}
	text = strings.Map(func(r rune) rune {
		// White space, and what mail, JSON and shells put around a line.
		if r == ' ' || r >= '\t' && r <= '\r' || strings.ContainsRune("\"',>", r) {
			return -1
		}
		return r
	}, text)
	der, err = base64.RawStdEncoding.DecodeString(strings.TrimRight(text, "="))
	switch {
	case encrypted:
		return der, true, nil
	case err != nil:
		return nil, false, fmt.Errorf("it is damaged: %w", err)
	case len(der) == 0:
		return nil, false, errors.New("it is empty")
	}
	return der, false, nil
}
