package process

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	_ "image/gif" // decoders
	"image/jpeg"
	"image/png"
	"io"
	"os"
	"strings"

	"github.com/dropstack/dropstack/services/drops/blob"
	"github.com/dropstack/dropstack/services/drops/drop"
	"github.com/dropstack/dropstack/services/drops/media"
	"github.com/dropstack/dropstack/services/wire"
	"golang.org/x/image/draw"
	_ "golang.org/x/image/webp" // decoder
)

// Limits of images.
const (
	maxPixels = 50e6
	maxImage  = 256 << 20 // bytes, of one that is decoded or copied
	thumbSide = 640
)

// thumbnail makes a picture of at most 640x640 of an image.
func (s *Steps) thumbnail(ctx context.Context, d drop.Drop, version int) (r result, err error) {
	if d.Type != wire.TypeImage {
		return result{skipped: "not an image"}, nil
	}
	if d.Size > maxImage {
		return result{skipped: fmt.Sprintf("larger than %d MB", maxImage>>20)}, nil
	}
	f, err := s.download(ctx, d)
	if err != nil {
		return result{}, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	config, _, err := image.DecodeConfig(f)
	if err != nil {
		return result{skipped: "no decoder: " + err.Error()}, nil
	}
	if reason := tooLarge(config); reason != "" {
		return result{skipped: reason}, nil
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return result{}, err
	}
	img, _, err := image.Decode(f) // of an animation, its first frame
	if err != nil {
		return result{skipped: "undecodable: " + err.Error()}, nil
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return result{}, err
	}
	var out bytes.Buffer
	name, kind, err := encode(&out, turn(shrink(img), media.Orientation(d.Media, f)))
	if err != nil {
		return result{}, err
	}
	key := derived(d.Code, version, name)
	if err := s.Blobs.Put(ctx, d.Bucket, key, kind, int64(out.Len()), bytes.NewReader(out.Bytes())); err != nil {
		return result{}, err
	}
	return result{objects: []string{key}, change: func(d *drop.Drop) { d.ThumbKey = key }}, nil
}

func tooLarge(c image.Config) string {
	if c.Width <= 0 || c.Height <= 0 {
		return "has no pixels"
	}
	if int64(c.Width)*int64(c.Height) > maxPixels {
		return fmt.Sprintf("%dx%d is more than %d megapixels", c.Width, c.Height, int(maxPixels/1e6))
	}
	return ""
}

// shrink fits an image into the thumbnail's square. Large ones are halved
// roughly first, which costs little and keeps the second pass short.
func shrink(src image.Image) image.Image {
	b := src.Bounds()
	w, h := fit(b.Dx(), b.Dy(), thumbSide)
	if b.Dx() > 6*w {
		mid := image.NewRGBA(image.Rect(0, 0, 3*w, 3*h))
		draw.ApproxBiLinear.Scale(mid, mid.Bounds(), src, b, draw.Src, nil)
		src, b = mid, mid.Bounds()
	}
	dst := image.NewRGBA(image.Rect(0, 0, w, h))
	draw.BiLinear.Scale(dst, dst.Bounds(), src, b, draw.Src, nil)
	return dst
}

func fit(w, h, side int) (int, int) {
	if w <= side && h <= side {
		return w, h
	}
	if w >= h {
		return side, max(1, h*side/w)
	}
	return max(1, w*side/h), side
}

// turn applies an Exif orientation: 2 mirrored, 3 upside down, 4 flipped, 5 to 8
// those with the axes exchanged.
func turn(src image.Image, orientation int) image.Image {
	if orientation <= 1 {
		return src
	}
	b := src.Bounds()
	w, h := b.Dx(), b.Dy()
	ow, oh := w, h
	if orientation >= 5 {
		ow, oh = h, w
	}
	dst := image.NewRGBA(image.Rect(0, 0, ow, oh))
	for y := range oh {
		for x := range ow {
			sx, sy := x, y
			switch orientation {
			case 2:
				sx = w - 1 - x
			case 3:
				sx, sy = w-1-x, h-1-y
			case 4:
				sy = h - 1 - y
			case 5:
				sx, sy = y, x
			case 6:
				sx, sy = y, h-1-x
			case 7:
				sx, sy = w-1-y, h-1-x
			case 8:
				sx, sy = w-1-y, x
			}
			dst.Set(x, y, src.At(b.Min.X+sx, b.Min.Y+sy))
		}
	}
	return dst
}

func encode(w io.Writer, img image.Image) (name, kind string, err error) {
	if o, ok := img.(interface{ Opaque() bool }); ok && o.Opaque() {
		return "thumb.jpg", "image/jpeg", jpeg.Encode(w, img, &jpeg.Options{Quality: 82})
	}
	return "thumb.png", "image/png", png.Encode(w, img)
}

// metadata finds dimensions and duration, and replaces an image by its copy
// without metadata.
func (s *Steps) metadata(ctx context.Context, d drop.Drop, version int) (result, error) {
	switch d.Type {
	case wire.TypeImage:
		return s.imageMetadata(ctx, d, version)
	case wire.TypeVideo, wire.TypeAudio:
		info, err := media.Probe(d.Media, &blob.ReaderAt{Ctx: ctx, Store: s.Blobs, Bucket: d.Bucket, Key: d.Key, Size: d.Size}, d.Size)
		if errors.Is(err, blob.ErrNotFound) || ctx.Err() != nil {
			return result{}, err
		}
		if err != nil {
			return result{skipped: err.Error()}, nil
		}
		return result{change: func(d *drop.Drop) { d.Width, d.Height, d.Duration = info.Width, info.Height, info.Duration }}, nil
	}
	return result{skipped: "nothing to read from a " + d.Type}, nil
}

func (s *Steps) imageMetadata(ctx context.Context, d drop.Drop, version int) (r result, err error) {
	if d.Size > maxImage {
		return result{skipped: fmt.Sprintf("larger than %d MB", maxImage>>20)}, nil
	}
	f, err := s.download(ctx, d)
	if err != nil {
		return result{}, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	config, _, configErr := image.DecodeConfig(f)
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return result{}, err
	}
	r = result{change: func(d *drop.Drop) { d.Width, d.Height = config.Width, config.Height }}
	if !media.CanStrip(d.Media) {
		if configErr != nil {
			r = result{skipped: "no decoder: " + configErr.Error()}
		}
		return r, nil
	}
	clean, err := scratch()
	if err != nil {
		return result{}, err
	}
	defer func() { err = errors.Join(err, clean.Close()) }()
	orientation, err := media.Strip(d.Media, clean, f)
	if errors.Is(err, media.ErrFormat) {
		r.skipped = "metadata not removed: " + err.Error()
		return r, nil
	}
	if err != nil {
		return result{}, err
	}
	return s.replace(ctx, d, version, clean, config, orientation)
}

// replace stores the clean copy and makes it what is served.
func (s *Steps) replace(ctx context.Context, d drop.Drop, version int, clean *os.File, config image.Config, orientation int) (result, error) {
	if orientation >= 5 {
		config.Width, config.Height = config.Height, config.Width
	}
	size, err := clean.Seek(0, io.SeekEnd)
	if err != nil {
		return result{}, err
	}
	if size == d.Size { // nothing was removed: a copy would be the same
		return result{change: func(d *drop.Drop) { d.Width, d.Height = config.Width, config.Height }}, nil
	}
	if _, err := clean.Seek(0, io.SeekStart); err != nil {
		return result{}, err
	}
	_, ext, _ := strings.Cut(d.Media, "/")
	key := derived(d.Code, version, "clean."+ext)
	if err := s.Blobs.Put(ctx, d.Bucket, key, d.Media, size, clean); err != nil {
		return result{}, err
	}
	return result{objects: []string{key}, change: func(d *drop.Drop) {
		d.Key, d.Size, d.SHA256 = key, size, ""
		d.Width, d.Height = config.Width, config.Height
	}}, nil
}

// download brings the object into a scratch file.
func (s *Steps) download(ctx context.Context, d drop.Drop) (_ *os.File, err error) {
	r, err := s.Blobs.Get(ctx, d.Bucket, d.Key, 0, -1)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	f, err := scratch()
	if err != nil {
		return nil, err
	}
	if _, err = io.Copy(f, io.LimitReader(r, maxImage)); err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// scratch makes a file that is gone when it is closed.
func scratch() (*os.File, error) {
	f, err := os.CreateTemp("", "drop-*")
	if err != nil {
		return nil, err
	}
	if err := os.Remove(f.Name()); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}
