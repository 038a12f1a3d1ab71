# SPDX-License-Identifier: GPL-2.0
# What the pictures of figures have in common; bench-svg.awk and savings-svg.awk
# are run behind it. y is where the next row begins.

function text(x, y, class, s)
{
	gsub(/&/, "\\&amp;", s)
	gsub(/</, "\\&lt;", s)
	printf "<text x=\"%d\" y=\"%d\" class=\"%s\">%s</text>\n", x, y, class, s
}

function heading(s)
{
	y += 8
	text(20, y + 12, "heading", s)
	y += 22
}

# Up to the styles of all pictures; the picture's own are printed after it
function begin(width, height)
{
	printf "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" viewBox=\"0 0 %d %d\">\n",
	       width, height, width, height
	print "<style>"
	print "text { font-family: 'DejaVu Sans', Verdana, Helvetica, sans-serif; font-size: 13px; fill: #24292f }"
	print ".title { font-size: 19px; font-weight: bold }"
	print ".note { fill: #57606a }"
	print ".heading { font-weight: bold }"
	print ".label { text-anchor: end }"
}

function frame(width, height)
{
	print "</style>"
	printf "<rect width=\"%d\" height=\"%d\" rx=\"8\" fill=\"#f6f8fa\" stroke=\"#d0d7de\"/>\n", width, height
}

# What a colour stands for, in the top line
function legend(x, class, s)
{
	printf "<rect x=\"%d\" y=\"24\" width=\"14\" height=\"12\" class=\"%s\"/>\n", x, class
	text(x + 20, 35, "", s)
}
