package media

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"time"
)

// Info is what Probe finds; what it does not find is zero.
type Info struct {
	Width, Height int
	Duration      time.Duration
}

// Probe reads size and duration of MP4/MOV, WebM/Matroska and WAV files without
// reading their media data.
func Probe(media string, r io.ReaderAt, size int64) (Info, error) {
	switch media {
	case "video/mp4", "video/quicktime", "audio/mp4", "video/x-m4v", "audio/x-m4a", "video/3gpp", "audio/x-m4b":
		return probeMP4(r, size)
	case "video/webm", "audio/webm", "video/x-matroska", "audio/x-matroska":
		return probeWebM(r, size)
	case "audio/wav", "audio/x-wav", "audio/wave":
		return probeWAV(r, size)
	}
	return Info{}, fmt.Errorf("nothing is read from %s", media)
}

// maxBoxes bounds the boxes or elements that are looked at on one level.
const maxBoxes = 4096

func probeMP4(r io.ReaderAt, size int64) (info Info, err error) {
	err = boxes(r, 0, size, func(kind string, off, end int64) error {
		if kind != "moov" {
			return nil
		}
		return boxes(r, off, end, func(kind string, off, end int64) error {
			switch kind {
			case "mvhd":
				info.Duration, err = headerTime(r, off, end)
				return err
			case "trak":
				return boxes(r, off, end, func(kind string, off, end int64) error {
					if kind == "tkhd" {
						info.track(r, end)
					}
					return nil
				})
			}
			return nil
		})
	})
	return info, err
}

// boxes visits the boxes between off and end, with where their content lies.
func boxes(r io.ReaderAt, off, end int64, visit func(kind string, off, end int64) error) error {
	for range maxBoxes {
		if off+8 > end {
			return nil
		}
		var head [16]byte
		if _, err := r.ReadAt(head[:8], off); err != nil {
			return truncated(err)
		}
		size, body := int64(binary.BigEndian.Uint32(head[:])), off+8
		switch size {
		case 0:
			size = end - off
		case 1:
			if _, err := r.ReadAt(head[8:], off+8); err != nil {
				return truncated(err)
			}
			large := binary.BigEndian.Uint64(head[8:])
			if large > math.MaxInt64 {
				return malformed("box of %d bytes", large)
			}
			size, body = int64(large), off+16
		}
		if size < body-off || size > end-off {
			return malformed("box %q of %d bytes at %d reaches beyond its parent", head[4:8], size, off)
		}
		if err := visit(string(head[4:8]), body, off+size); err != nil {
			return err
		}
		off += size
	}
	return malformed("more than %d boxes", maxBoxes)
}

func headerTime(r io.ReaderAt, off, end int64) (time.Duration, error) {
	var b [32]byte
	if end-off < 20 {
		return 0, malformed("mvhd of %d bytes", end-off)
	}
	if n, err := r.ReadAt(b[:min(int64(len(b)), end-off)], off); err != nil && n < 20 {
		return 0, truncated(err)
	}
	if b[0] == 1 {
		return seconds(binary.BigEndian.Uint64(b[24:]), uint64(binary.BigEndian.Uint32(b[20:]))), nil
	}
	return seconds(uint64(binary.BigEndian.Uint32(b[16:])), uint64(binary.BigEndian.Uint32(b[12:]))), nil
}

// seconds is n/scale, 0 when it cannot be a duration.
func seconds(n, scale uint64) time.Duration {
	if scale == 0 {
		return 0
	}
	return fromSeconds(float64(n) / float64(scale))
}

func fromSeconds(s float64) time.Duration {
	if !(s > 0 && s < 1e8) {
		return 0
	}
	return time.Duration(s * float64(time.Second)).Truncate(time.Millisecond)
}

// track takes the size of the largest track from the end of its header, where
// both versions keep it as 16.16.
func (i *Info) track(r io.ReaderAt, end int64) {
	var b [8]byte
	if _, err := r.ReadAt(b[:], end-8); err != nil {
		return
	}
	w, h := int(binary.BigEndian.Uint16(b[:])), int(binary.BigEndian.Uint16(b[4:]))
	if w*h > i.Width*i.Height {
		i.Width, i.Height = w, h
	}
}

func probeWAV(r io.ReaderAt, size int64) (Info, error) {
	var head [12]byte
	if _, err := r.ReadAt(head[:], 0); err != nil || string(head[:4]) != "RIFF" || string(head[8:]) != "WAVE" {
		return Info{}, malformed("no WAV start")
	}
	var rate uint32
	for off, n := int64(12), 0; off+8 <= size && n < maxBoxes; n++ {
		var b [20]byte
		if _, err := r.ReadAt(b[:8], off); err != nil {
			return Info{}, truncated(err)
		}
		length := int64(binary.LittleEndian.Uint32(b[4:]))
		switch string(b[:4]) {
		case "fmt ":
			if _, err := r.ReadAt(b[8:], off+8); err != nil {
				return Info{}, truncated(err)
			}
			rate = binary.LittleEndian.Uint32(b[16:])
		case "data":
			return Info{Duration: seconds(uint64(min(length, size-off-8)), uint64(rate))}, nil
		}
		off += 8 + length + length&1
	}
	return Info{}, malformed("WAV without data")
}

// Elements of Matroska.
const (
	idSegment  = 0x18538067
	idInfo     = 0x1549a966
	idScale    = 0x2ad7b1
	idDuration = 0x4489
	idTracks   = 0x1654ae6b
	idTrack    = 0xae
	idVideo    = 0xe0
	idWidth    = 0xb0
	idHeight   = 0xba
	idCluster  = 0x1f43b675
)

// probeWebM looks at the first 256 KB; recorders put what we want there.
func probeWebM(r io.ReaderAt, size int64) (Info, error) {
	b := make([]byte, min(size, 256<<10))
	if n, err := r.ReadAt(b, 0); err != nil && n < len(b) {
		return Info{}, truncated(err)
	}
	if !bytes.HasPrefix(b, []byte{0x1a, 0x45, 0xdf, 0xa3}) {
		return Info{}, malformed("no EBML start")
	}
	w := webm{scale: 1e6}
	w.walk(b, 0)
	return Info{Width: w.width, Height: w.height, Duration: fromSeconds(w.duration * float64(w.scale) / 1e9)}, nil
}

type webm struct {
	scale         uint64
	duration      float64
	width, height int
}

func (w *webm) walk(b []byte, depth int) {
	for len(b) > 0 && depth < 6 {
		id, n := vint(b, false)
		if n == 0 {
			return
		}
		size, m := vint(b[n:], true)
		if m == 0 || id == idCluster {
			return
		}
		b = b[n+m:]
		body := b[:min(size, uint64(len(b)))] // a size of all ones, unknown, is larger than anything
		switch id {
		case idSegment, idInfo, idTracks, idTrack, idVideo:
			w.walk(body, depth+1)
		case idScale:
			w.scale = number(body)
		case idDuration:
			w.duration = float(body)
		case idWidth:
			w.width = int(min(number(body), 1<<20))
		case idHeight:
			w.height = int(min(number(body), 1<<20))
		}
		b = b[len(body):]
	}
}

// vint reads a variable-length integer; its length is 0 when there is none.
func vint(b []byte, mask bool) (uint64, int) {
	if len(b) == 0 || b[0] == 0 {
		return 0, 0
	}
	n := 1
	for b[0]&(0x80>>(n-1)) == 0 {
		n++
	}
	if len(b) < n {
		return 0, 0
	}
	v := uint64(b[0])
	if mask {
		v &= uint64(0x7f) >> (n - 1)
	}
	for _, c := range b[1:n] {
		v = v<<8 | uint64(c)
	}
	return v, n
}

func number(b []byte) (v uint64) {
	for _, c := range b[:min(len(b), 8)] {
		v = v<<8 | uint64(c)
	}
	return v
}

func float(b []byte) float64 {
	switch len(b) {
	case 4:
		return float64(math.Float32frombits(binary.BigEndian.Uint32(b)))
	case 8:
		return math.Float64frombits(binary.BigEndian.Uint64(b))
	}
	return 0
}
