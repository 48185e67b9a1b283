module firestream/web

go 1.24
