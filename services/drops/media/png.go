package media

import (
	"bufio"
	"encoding/binary"
	"hash/crc32"
	"io"
)

const pngStart = "\x89PNG\r\n\x1a\n"

// keepPNG lists the optional chunks that change how pixels look or move.
var keepPNG = map[string]bool{
	"gAMA": true, "cHRM": true, "sRGB": true, "iCCP": true, "sBIT": true, "bKGD": true, "pHYs": true, "tRNS": true,
	"hIST": true, "sPLT": true, "cICP": true, "mDCV": true, "cLLI": true, "acTL": true, "fcTL": true, "fdAT": true,
}

func stripPNG(w io.Writer, r io.Reader) (int, error) {
	in, out := bufio.NewReaderSize(r, 64<<10), bufio.NewWriterSize(w, 64<<10)
	var start [8]byte
	if _, err := io.ReadFull(in, start[:]); err != nil || string(start[:]) != pngStart {
		return 1, malformed("no PNG start")
	}
	_, _ = out.WriteString(pngStart)
	turned := 1
	for {
		var head [8]byte
		if _, err := io.ReadFull(in, head[:]); err != nil {
			return turned, truncated(err)
		}
		size, kind := int64(binary.BigEndian.Uint32(head[:])), string(head[4:])
		if size > 1<<31-1 {
			return turned, malformed("PNG chunk of %d bytes", size)
		}
		switch critical := head[4]&0x20 == 0; {
		case kind == "eXIf" && size <= maxMeta:
			tiff := make([]byte, size)
			if _, err := io.ReadFull(in, tiff); err != nil {
				return turned, truncated(err)
			}
			if _, err := in.Discard(4); err != nil {
				return turned, truncated(err)
			}
			if turned = orientation(tiff); turned != 1 {
				writeChunk(out, "eXIf", tiffOf(turned))
			}
		case critical || keepPNG[kind]:
			_, _ = out.Write(head[:])
			if _, err := io.CopyN(out, in, size+4); err != nil {
				return turned, truncated(err)
			}
		default:
			if _, err := io.CopyN(io.Discard, in, size+4); err != nil {
				return turned, truncated(err)
			}
		}
		if kind == "IEND" {
			return turned, out.Flush()
		}
	}
}

func writeChunk(w *bufio.Writer, kind string, data []byte) {
	b := binary.BigEndian.AppendUint32(nil, uint32(len(data)))
	b = append(append(b, kind...), data...)
	_, _ = w.Write(binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b[4:])))
}
