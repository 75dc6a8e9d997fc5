package media

import (
	"bufio"
	"encoding/binary"
	"io"
)

var keepWebP = map[string]bool{"VP8 ": true, "VP8L": true, "VP8X": true, "ANIM": true, "ANMF": true, "ALPH": true, "ICCP": true}

// Flags of the VP8X chunk.
const (
	webpEXIF = 0x08
	webpXMP  = 0x04
)

func stripWebP(w io.WriteSeeker, r io.Reader) (int, error) {
	in, out := bufio.NewReaderSize(r, 64<<10), bufio.NewWriterSize(w, 64<<10)
	var head [12]byte
	if _, err := io.ReadFull(in, head[:]); err != nil || string(head[:4]) != "RIFF" || string(head[8:]) != "WEBP" {
		return 1, malformed("no WebP start")
	}
	left := int64(binary.LittleEndian.Uint32(head[4:])) - 4
	s := &webpStripper{in: in, out: out, orientation: 1}
	_, _ = out.Write(head[:])
	for left >= 8 {
		n, err := s.chunk(left)
		if err != nil {
			return s.orientation, err
		}
		left -= n
	}
	return s.finish(w)
}

type webpStripper struct {
	in          *bufio.Reader
	out         *bufio.Writer
	orientation int
	extended    int64 // where the flags of VP8X are, or 0
	flags       byte
	written     int64 // bytes of chunks
}

// chunk copies or drops one chunk and returns its whole size.
func (s *webpStripper) chunk(left int64) (int64, error) {
	var head [8]byte
	if _, err := io.ReadFull(s.in, head[:]); err != nil {
		return 0, truncated(err)
	}
	kind, size := string(head[:4]), int64(binary.LittleEndian.Uint32(head[4:]))
	padded := size + size&1
	if padded > left-8+1 { // some writers leave out the last padding
		return 0, malformed("WebP chunk %q reaches beyond the file", kind)
	}
	switch {
	case kind == "EXIF" && size <= maxMeta:
		exif := make([]byte, size)
		if _, err := io.ReadFull(s.in, exif); err != nil {
			return 0, truncated(err)
		}
		if len(exif) > 6 && string(exif[:4]) == "Exif" {
			exif = exif[6:]
		}
		s.orientation = orientation(exif)
		_, _ = s.in.Discard(int(size & 1))
	case kind == "VP8X" && size == 10:
		s.extended = 12 + s.written + 8
		var body [10]byte
		if _, err := io.ReadFull(s.in, body[:]); err != nil {
			return 0, truncated(err)
		}
		s.flags = body[0] &^ (webpEXIF | webpXMP)
		body[0] = s.flags
		_, _ = s.out.Write(head[:])
		_, _ = s.out.Write(body[:])
		s.written += 18
	case keepWebP[kind]:
		_, _ = s.out.Write(head[:])
		if _, err := io.CopyN(s.out, s.in, size); err != nil {
			return 0, truncated(err)
		}
		if size&1 == 1 {
			_ = s.out.WriteByte(0)
			_, _ = s.in.Discard(1)
		}
		s.written += 8 + padded
	default:
		if _, err := io.CopyN(io.Discard, s.in, size); err != nil {
			return 0, truncated(err)
		}
		_, _ = s.in.Discard(int(size & 1))
	}
	return 8 + padded, nil
}

// finish appends the orientation and corrects the file's size.
func (s *webpStripper) finish(w io.WriteSeeker) (int, error) {
	turned := s.orientation != 1 && s.extended > 0
	if turned {
		tiff := tiffOf(s.orientation)
		_, _ = s.out.Write(binary.LittleEndian.AppendUint32([]byte("EXIF"), uint32(len(tiff))))
		_, _ = s.out.Write(tiff)
		s.written += 8 + int64(len(tiff))
	}
	if err := s.out.Flush(); err != nil {
		return s.orientation, err
	}
	if turned {
		if err := patch(w, s.extended, []byte{s.flags | webpEXIF}); err != nil {
			return s.orientation, err
		}
	}
	return s.orientation, patch(w, 4, binary.LittleEndian.AppendUint32(nil, uint32(s.written+4)))
}

func patch(w io.WriteSeeker, at int64, b []byte) error {
	if _, err := w.Seek(at, io.SeekStart); err != nil {
		return err
	}
	_, err := w.Write(b)
	return err
}
