package media

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"io"
)

const (
	markSOI  = 0xd8
	markEOI  = 0xd9
	markSOS  = 0xda
	markAPP0 = 0xe0
	markAPP1 = 0xe1
	markAPP2 = 0xe2
	markAPPe = 0xee // Adobe: says how colours are coded
	markCOM  = 0xfe
)

func stripJPEG(w io.Writer, r io.Reader) (int, error) {
	in, out := bufio.NewReaderSize(r, 64<<10), bufio.NewWriterSize(w, 64<<10)
	var head [2]byte
	if _, err := io.ReadFull(in, head[:]); err != nil || head != [2]byte{0xff, markSOI} {
		return 1, malformed("no JPEG start")
	}
	j := &jpegStripper{in: in, out: out, orientation: 1}
	_, _ = out.Write(head[:])
	if err := j.segments(); err != nil {
		return j.orientation, err
	}
	return j.orientation, out.Flush() // what follows the end of the image is left out
}

type jpegStripper struct {
	in          *bufio.Reader
	out         *bufio.Writer
	orientation int
	wrote       bool // the orientation
	begun       bool // a marker's 0xff is read
}

// segments copies up to the end of the image. Write errors stay in out until
// Flush.
func (j *jpegStripper) segments() error {
	for {
		mark, err := j.marker()
		if err != nil {
			return err
		}
		switch {
		case mark == markEOI:
			_, _ = j.out.Write([]byte{0xff, markEOI})
			return nil
		case mark >= 0xd0 && mark <= 0xd7 || mark == 0x01: // no payload
			_, _ = j.out.Write([]byte{0xff, mark})
			continue
		case mark == markSOI:
			return malformed("a JPEG starts within a JPEG")
		}
		body, err := j.body()
		if err != nil {
			return err
		}
		if mark == markAPP1 && bytes.HasPrefix(body, []byte("Exif\x00")) && len(body) > 6 {
			j.orientation = orientation(body[6:])
			continue
		}
		if dropSegment(mark, body) {
			continue
		}
		if mark != markAPP0 {
			j.writeOrientation() // JFIF wants to come first
		}
		j.write(mark, body)
		if mark == markSOS {
			if err := j.scan(); err != nil {
				return err
			}
		}
	}
}

func dropSegment(mark byte, body []byte) bool {
	switch {
	case mark == markCOM:
		return true
	case mark == markAPP0:
		return !bytes.HasPrefix(body, []byte("JFIF\x00"))
	case mark == markAPP2:
		return !bytes.HasPrefix(body, []byte("ICC_PROFILE\x00"))
	case mark == markAPPe:
		return !bytes.HasPrefix(body, []byte("Adobe"))
	}
	return mark >= markAPP1 && mark <= 0xef
}

// writeOrientation comes before the first segment that belongs to the image, by
// when Exif has been read: it must be among the first segments, and a later one
// counts for no reader.
func (j *jpegStripper) writeOrientation() {
	if j.wrote || j.orientation == 1 {
		return
	}
	j.wrote = true
	j.write(markAPP1, append([]byte("Exif\x00\x00"), tiffOf(j.orientation)...))
}

func (j *jpegStripper) write(mark byte, body []byte) {
	n := len(body) + 2
	_, _ = j.out.Write([]byte{0xff, mark, byte(n >> 8), byte(n)})
	_, _ = j.out.Write(body)
}

// marker reads 0xff, fill bytes and the marker.
func (j *jpegStripper) marker() (byte, error) {
	b, err := byte(0xff), error(nil)
	if !j.begun {
		b, err = j.in.ReadByte()
	}
	j.begun = false
	if err != nil {
		return 0, truncated(err)
	}
	if b != 0xff {
		return 0, malformed("byte %#x where a JPEG marker should be", b)
	}
	for b == 0xff {
		if b, err = j.in.ReadByte(); err != nil {
			return 0, truncated(err)
		}
	}
	if b == 0 {
		return 0, malformed("no JPEG marker after 0xff")
	}
	return b, nil
}

func (j *jpegStripper) body() ([]byte, error) {
	var size [2]byte
	if _, err := io.ReadFull(j.in, size[:]); err != nil {
		return nil, truncated(err)
	}
	n := int(binary.BigEndian.Uint16(size[:]))
	if n < 2 {
		return nil, malformed("JPEG segment of %d bytes", n)
	}
	body := make([]byte, n-2)
	_, err := io.ReadFull(j.in, body)
	return body, truncated(err)
}

// scan copies entropy-coded data up to the next marker, which stays unread.
func (j *jpegStripper) scan() error {
	for {
		chunk, err := j.in.ReadSlice(0xff)
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return truncated(err)
		}
		if err != nil {
			_, _ = j.out.Write(chunk)
			continue
		}
		_, _ = j.out.Write(chunk[:len(chunk)-1])
		next, err := j.in.Peek(1)
		if err != nil {
			return truncated(err)
		}
		if next[0] == 0 || next[0] >= 0xd0 && next[0] <= 0xd7 {
			_, _ = j.out.Write([]byte{0xff, next[0]})
			_, _ = j.in.Discard(1)
			continue
		}
		j.begun = true // the marker's 0xff is read
		return nil
	}
}

func truncated(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return malformed("ends early")
	}
	return err
}
