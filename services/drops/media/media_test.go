package media_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/dropstack/dropstack/services/drops/media"
)

func picture() image.Image {
	m := image.NewRGBA(image.Rect(0, 0, 64, 48))
	for i := range m.Pix {
		m.Pix[i] = byte(i*7) | byte(i%4/3*255) // opaque
	}
	return m
}

const secret = "GPS 48.8584 N 2.2945 E"

// exif is a TIFF block with an orientation and a secret.
func exif(o uint16) []byte {
	b := []byte("II*\x00\x08\x00\x00\x00\x02\x00")
	b = append(b, 0x0f, 0x01, 2, 0, 8, 0, 0, 0, 0, 0, 0, 0) // Make
	b = append(b, 0x12, 0x01, 3, 0, 1, 0, 0, 0, byte(o), 0, 0, 0)
	return append(b, "\x00\x00\x00\x00"+secret...)
}

func segment(mark byte, body string) []byte {
	n := len(body) + 2
	return append([]byte{0xff, mark, byte(n >> 8), byte(n)}, body...)
}

func jpegWith(t testing.TB, o uint16) (tagged, plain []byte) {
	var b bytes.Buffer
	if err := jpeg.Encode(&b, picture(), nil); err != nil {
		t.Fatal(err)
	}
	plain = b.Bytes()
	tagged = append([]byte{}, plain[:2]...)
	tagged = append(tagged, segment(0xe1, "Exif\x00\x00"+string(exif(o)))...)
	tagged = append(tagged, segment(0xe1, "http://ns.adobe.com/xap/1.0/\x00"+secret)...)
	tagged = append(tagged, segment(0xed, "Photoshop 3.0\x00"+secret)...)
	tagged = append(tagged, segment(0xfe, secret)...)
	tagged = append(tagged, segment(0xe2, "MPF\x00"+secret)...)
	tagged = append(tagged, segment(0xe2, "ICC_PROFILE\x00\x01\x01colours")...)
	tagged = append(tagged, plain[2:]...)
	return append(tagged, secret...), plain
}

func chunk(kind, body string) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(len(body)))
	b = append(append(b, kind...), body...)
	return append(b, 0, 0, 0, 0)
}

func pngWith(t testing.TB, o uint16) (tagged, plain []byte) {
	var b bytes.Buffer
	if err := png.Encode(&b, picture()); err != nil {
		t.Fatal(err)
	}
	plain = b.Bytes()
	tagged = append([]byte{}, plain[:33]...) // start and IHDR
	tagged = append(tagged, chunk("eXIf", string(exif(o)))...)
	tagged = append(tagged, chunk("tEXt", "Comment\x00"+secret)...)
	tagged = append(tagged, chunk("iTXt", "XML:com.adobe.xmp\x00"+secret)...)
	tagged = append(tagged, plain[33:]...)
	return append(tagged, secret...), plain
}

func riff(kind, body string) string {
	s := kind + string(binary.LittleEndian.AppendUint32(nil, uint32(len(body)))) + body
	if len(body)%2 == 1 {
		s += "\x00"
	}
	return s
}

func webpWith(o uint16) []byte {
	return []byte(riff("RIFF", "WEBP"+riff("VP8X", "\x2c\x00\x00\x00\x01\x00\x00\x01\x00\x00")+
		riff("ICCP", "odd")+riff("VP8L", "pixels")+riff("EXIF", string(exif(o)))+riff("XMP ", secret)))
}

func strip(t *testing.T, kind string, in []byte) ([]byte, int, error) {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	o, stripErr := media.Strip(kind, f, bytes.NewReader(in))
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	out, err := os.ReadFile(f.Name())
	if err != nil {
		t.Fatal(err)
	}
	return out, o, stripErr
}

func TestStripKeepsPixelsAndOrientationOnly(t *testing.T) {
	for _, o := range []uint16{1, 6} {
		j, _ := jpegWith(t, o)
		p, _ := pngWith(t, o)
		for kind, in := range map[string][]byte{"image/jpeg": j, "image/png": p, "image/webp": webpWith(o)} {
			out, got, err := strip(t, kind, in)
			if err != nil || got != int(o) {
				t.Fatalf("%s: got orientation %d, %v, want %d", kind, got, err, o)
			}
			if bytes.Contains(out, []byte("48.8584")) {
				t.Errorf("%s: the position is still in the file", kind)
			}
			if again := media.Orientation(kind, bytes.NewReader(out)); again != int(o) {
				t.Errorf("%s: got orientation %d from the copy, want %d", kind, again, o)
			}
			if kind == "image/webp" {
				if size := int(binary.LittleEndian.Uint32(out[4:])); size != len(out)-8 {
					t.Errorf("webp: got size %d in the header of %d bytes", size, len(out))
				}
				if want := byte(0x20); o == 1 && out[20] != want {
					t.Errorf("webp: got flags %#x, want %#x", out[20], want)
				}
				continue
			}
			samePixels(t, kind, in, out)
		}
	}
}

func samePixels(t *testing.T, kind string, in, out []byte) {
	t.Helper()
	a, _, errA := image.Decode(bytes.NewReader(in))
	b, _, errB := image.Decode(bytes.NewReader(out))
	// the made-up chunks have wrong checksums, which only the copy no longer has
	if kind == "image/png" {
		a, errA = picture(), nil
	}
	if errA != nil || errB != nil {
		t.Fatalf("%s: decode: %v, %v", kind, errA, errB)
	}
	for y := range 48 {
		for x := range 64 {
			if color.RGBAModel.Convert(a.At(x, y)) != color.RGBAModel.Convert(b.At(x, y)) {
				t.Fatalf("%s: pixel %d,%d differs", kind, x, y)
			}
		}
	}
	if kind == "image/jpeg" && !bytes.Contains(out, []byte("ICC_PROFILE")) {
		t.Error("the colour profile is gone")
	}
}

func TestStripRefusesBrokenFiles(t *testing.T) {
	j, _ := jpegWith(t, 1)
	p, _ := pngWith(t, 1)
	for name, c := range map[string]struct {
		kind string
		in   []byte
	}{
		"empty":              {"image/jpeg", nil},
		"jpeg cut in a scan": {"image/jpeg", j[:len(j)-40]},
		"jpeg cut in a head": {"image/jpeg", j[:10]},
		"png cut":            {"image/png", p[:60]},
		"webp too long":      {"image/webp", []byte("RIFF\xff\x00\x00\x00WEBPVP8 \xff\xff\xff\x7f")},
	} {
		if _, _, err := strip(t, c.kind, c.in); !errors.Is(err, media.ErrFormat) {
			t.Errorf("%s: got %v, want ErrFormat", name, err)
		}
	}
}

func box(kind, body string) string {
	return string(binary.BigEndian.AppendUint32(nil, uint32(len(body)+8))) + kind + body
}

func TestProbe(t *testing.T) {
	mvhd := make([]byte, 100)
	binary.BigEndian.PutUint32(mvhd[12:], 600)
	binary.BigEndian.PutUint32(mvhd[16:], 900)
	tkhd := make([]byte, 84)
	binary.BigEndian.PutUint16(tkhd[76:], 1920)
	binary.BigEndian.PutUint16(tkhd[80:], 1080)
	mp4 := box("ftyp", "isom") + box("mdat", "0123456789") + box("moov", box("mvhd", string(mvhd))+box("trak", box("tkhd", string(tkhd))))
	format := "\x01\x00\x01\x00\x40\x1f\x00\x00\x40\x1f\x00\x00\x01\x00\x08\x00" // 8000 bytes a second
	wav := riff("RIFF", "WAVE"+riff("fmt ", format)+riff("data", string(make([]byte, 4000))))
	webm := "\x1a\x45\xdf\xa3\x80" + "\x18\x53\x80\x67\x01\xff\xff\xff\xff\xff\xff\xff" +
		"\x15\x49\xa9\x66\x8e" + "\x2a\xd7\xb1\x83\x0f\x42\x40" + "\x44\x89\x84\x44\xfa\x00\x00" + // 2000 ms
		"\x16\x54\xae\x6b\x8c\xae\x8a\xe0\x88\xb0\x82\x02\x80\xba\x82\x01\xe0"
	for kind, c := range map[string]struct {
		in   string
		want media.Info
	}{
		"video/mp4":  {mp4, media.Info{Width: 1920, Height: 1080, Duration: 1500 * time.Millisecond}},
		"audio/wav":  {wav, media.Info{Duration: 500 * time.Millisecond}},
		"video/webm": {webm, media.Info{Width: 640, Height: 480, Duration: 2 * time.Second}},
	} {
		got, err := media.Probe(kind, bytes.NewReader([]byte(c.in)), int64(len(c.in)))
		if err != nil || got != c.want {
			t.Errorf("%s: got %+v, %v, want %+v", kind, got, err, c.want)
		}
	}
	if _, err := media.Probe("video/mp4", bytes.NewReader([]byte("\x00\x00\x00\x04moov")), 8); !errors.Is(err, media.ErrFormat) {
		t.Errorf("a box smaller than its header: got %v, want ErrFormat", err)
	}
}

type memory struct {
	b   []byte
	off int
}

func (m *memory) Write(p []byte) (int, error) {
	if need := m.off + len(p); need > len(m.b) {
		m.b = append(m.b, make([]byte, need-len(m.b))...)
	}
	m.off += copy(m.b[m.off:], p)
	return len(p), nil
}

func (m *memory) Seek(off int64, whence int) (int64, error) {
	if whence != io.SeekStart {
		return 0, errors.New("only from the start")
	}
	m.off = int(off)
	return off, nil
}

// FuzzStrip: a copy is never larger than its source by more than the
// orientation, and stripping it again changes nothing.
func FuzzStrip(f *testing.F) {
	j, _ := jpegWith(f, 6)
	p, _ := pngWith(f, 6)
	kinds := []string{"image/jpeg", "image/png", "image/webp"}
	f.Add(uint8(0), j)
	f.Add(uint8(1), p)
	f.Add(uint8(2), webpWith(6))
	f.Fuzz(func(t *testing.T, k uint8, in []byte) {
		kind := kinds[int(k)%len(kinds)]
		var out, again memory
		o, err := media.Strip(kind, &out, bytes.NewReader(in))
		if o < 1 || o > 8 {
			t.Fatalf("orientation %d", o)
		}
		if err != nil {
			return
		}
		if len(out.b) > len(in)+64 {
			t.Fatalf("%s: %d bytes became %d", kind, len(in), len(out.b))
		}
		if _, err := media.Strip(kind, &again, bytes.NewReader(out.b)); err != nil || !bytes.Equal(again.b, out.b) {
			t.Fatalf("%s: stripping the copy again: %v, same %v", kind, err, bytes.Equal(again.b, out.b))
		}
	})
}

// FuzzProbe: no panic, no endless loop, sane numbers.
func FuzzProbe(f *testing.F) {
	kinds := []string{"video/mp4", "video/webm", "audio/wav"}
	f.Add(uint8(0), []byte(box("moov", box("mvhd", string(make([]byte, 100))))))
	f.Add(uint8(1), []byte("\x1a\x45\xdf\xa3\x80\x18\x53\x80\x67\x80"))
	f.Add(uint8(2), []byte(riff("RIFF", "WAVEdata")))
	f.Fuzz(func(t *testing.T, k uint8, in []byte) {
		info, _ := media.Probe(kinds[int(k)%len(kinds)], bytes.NewReader(in), int64(len(in)))
		if info.Duration < 0 || info.Width < 0 || info.Height < 0 {
			t.Fatalf("got %+v", info)
		}
	})
}
