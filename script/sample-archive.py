# script/sample-archive.py DIR: fills DIR with computed weather: real GRIB2
# and NetCDF, made-up values.  Run by script/sample-archive, which checks it.
# SPDX-License-Identifier: Apache-2.0
#
# The fields are climate (latitude, season, land) plus weather: noise whose
# spectrum falls off with wavelength, as the atmosphere's does, drifting with
# the wind.  That matters to an FTP server's tests because such fields pack
# like real ones: not to nothing, and not like random bytes.
# Same numpy, same bytes: every seed and every date is fixed.
#
# libeccodes is called directly; its Python package brings in 250 others.
import ctypes
import datetime
import hashlib
import math
import multiprocessing
import os
import sys

import netCDF4
import numpy as np

YEARS = (1998, 1999, 2022, 2023)
CREDIT = "computed sample data, not observations"
DAY = datetime.timedelta(days=1)

# Rough outlines, longitude then latitude: enough to know a map by.
LAND = {
	"Africa": "-17,15 -10,30 -6,35 10,37 20,32 33,31 43,11 51,12 40,-5 "
		"40,-16 33,-27 27,-34 18,-34 12,-17 9,4 -8,5",
	"Eurasia": "-9,37 -9,43 -1,44 5,52 10,55 5,59 5,62 15,69 28,71 45,67 "
		"70,73 105,77 140,73 180,68 162,60 157,51 143,59 135,54 141,48 "
		"128,40 122,40 121,30 108,21 109,12 104,2 98,10 94,17 88,22 80,15 "
		"77,8 72,20 60,25 57,18 45,13 35,28 36,36 27,37 23,38 14,41 4,43 "
		"-1,38",
	"Chukotka": "-180,68 -170,66 -180,64",
	"Britain": "-5,50 1,51 -1,55 -2,58 -5,58 -4,54",
	"Japan": "131,32 140,35 144,44 141,45 136,36",
	"North America": "-168,66 -156,71 -128,70 -95,68 -82,68 -94,59 -80,52 "
		"-78,62 -65,59 -56,52 -66,45 -74,40 -81,31 -80,25 -84,30 -97,27 "
		"-96,19 -88,21 -83,10 -78,8 -85,11 -105,20 -112,30 -117,33 "
		"-124,42 -124,48 -135,58 -152,60 -162,56 -165,62",
	"Greenland": "-55,61 -43,60 -22,70 -20,80 -35,83 -60,81 -70,77 -55,70",
	"South America": "-77,8 -72,12 -60,9 -50,0 -35,-6 -39,-15 -48,-27 "
		"-58,-38 -66,-45 -68,-55 -74,-50 -71,-20 -81,-5 -77,3",
	"Australia": "114,-22 130,-12 136,-15 142,-11 153,-27 150,-37 140,-38 "
		"131,-31 115,-34",
	"New Guinea": "131,-1 141,-3 150,-10 140,-8",
	"Borneo": "109,1 117,7 118,1 114,-4",
	"Madagascar": "44,-25 47,-25 50,-15 44,-18",
	"Antarctica": "-180,-79 -160,-77 -100,-73 -62,-64 -60,-76 -20,-73 0,-70 "
		"50,-66 110,-66 150,-68 170,-72 180,-79 180,-91 -180,-91",
}

STATIONS = [  # name, latitude, longitude
	("Bergen", 60.4, 5.3), ("Reykjavík", 64.1, -21.9), ("Dublin", 53.3, -6.3),
	("Zürich", 47.4, 8.5), ("Kraków", 50.1, 19.9), ("Lisboa", 38.7, -9.1),
	("Athína", 38.0, 23.7), ("Tunis", 36.8, 10.2), ("Dakar", 14.7, -17.4),
	("Nairobi", -1.3, 36.8), ("Cape Town", -33.9, 18.4), ("Delhi", 28.6, 77.2),
	("Novosibirsk", 55.0, 82.9), ("Hanoi", 21.0, 105.8), ("Sapporo", 43.1, 141.4),
	("Perth", -32.0, 115.9), ("Dunedin", -45.9, 170.5), ("Nuuk", 64.2, -51.7),
	("Québec", 46.8, -71.2), ("Boulder", 40.0, -105.3), ("Mérida", 21.0, -89.6),
	("Bogotá", 4.7, -74.1), ("São Paulo", -23.5, -46.6), ("Ushuaia", -54.8, -68.3),
]

MONTHS_FR = ("janvier", "février", "mars", "avril", "mai", "juin", "juillet",
	"août", "septembre", "octobre", "novembre", "décembre")


# ---- weather ----

class Weather:
	"""The weather of a global grid, north to south, from 0 degrees east."""

	def __init__(self, step, seed):
		self.step = step
		self.lats = np.arange(90, -90 - step / 2, -step)
		self.lons = np.arange(0, 360 - step / 2, step)
		lat = np.radians(self.lats)[:, None].astype("f4")
		self.sin, self.cos = np.sin(lat), np.maximum(np.cos(lat), 0)
		self.mid = np.abs(np.sin(2 * lat))  # where the storms are
		self.land = self._land()
		self.rng = np.random.default_rng(seed)
		hills = self.land * np.maximum(0, self._noise(1.6)) ** 2
		ice_sheet = self.land * (lat < math.radians(-66))
		self.height = 500 * hills + 2200 * ice_sheet
		# Slope of the spectrum, weight, degrees east per day, period in days
		self.eddies = [(self._noise(slope), self._noise(slope), *rest)
			for slope, *rest in ((3.2, 0.7, 4, 40), (2.4, 0.6, 9, 13),
				(1.7, 0.3, 11, 5))]

	def _land(self):
		lon = (self.lons[None, :] + 180) % 360 - 180
		lat = self.lats[:, None]
		land = np.zeros((lat.size, lon.size), bool)
		for outline in LAND.values():
			p = [tuple(map(float, at.split(","))) for at in outline.split()]
			inside = np.zeros_like(land)
			for (x0, y0), (x1, y1) in zip(p, p[1:] + p[:1]):
				if y0 != y1:
					edge = x0 + (lat - y0) * (x1 - x0) / (y1 - y0)
					inside ^= ((y0 > lat) != (y1 > lat)) & (lon < edge)
			land |= inside
		return land.astype("f4")

	def _noise(self, slope):
		shape = (self.lats.size, self.lons.size)
		wave = np.hypot(np.fft.fftfreq(shape[0], 1 / 180)[:, None],
			np.fft.rfftfreq(shape[1], 1 / 360)[None, :])
		wave = np.maximum(wave, 3) ** -slope
		wave = np.fft.irfft2(wave * np.fft.rfft2(
			self.rng.standard_normal(shape)), shape)
		return (wave / wave.std()).astype("f4")

	def eddy(self, day):
		"""What the weather adds on a day counted from 1970, about -3..3."""
		total = np.zeros_like(self.land)
		for a, b, weight, speed, period in self.eddies:
			turn = 2 * math.pi * day / period
			east = round(speed * day / self.step)
			total += np.roll(a, east, 1) * np.float32(weight * math.cos(turn))
			total += np.roll(b, -east // 3, 1) * np.float32(
				weight * math.sin(turn))
		return total

	def t2m(self, when, eddy=None):
		"""Kelvin."""
		if eddy is None:
			eddy = self.eddy(days(when))
		noon = np.cos(np.radians(self.lons)[None, :]
			+ math.radians(15 * when.hour - 225)).astype("f4")
		return (300.5 + 0.02 * (when.year - 1998)
			- 36 * self.sin ** 2 - 12 * self.sin ** 8
			+ season(when) * self.sin * (3 + 11 * self.land)
			- 0.0065 * self.height + 4 * self.land * self.cos * noon
			+ eddy * (1 + 2 * self.land) * (0.3 + self.mid))

	def sst(self, when):
		"""Degrees Celsius."""
		warm = (-3 + 32 * self.cos ** 1.7 + 3 * season(when) * self.sin
			+ self.eddy(days(when) / 4) * (0.5 + self.mid))
		return np.maximum(warm, -1.8)


def days(when):
	return (when - datetime.datetime(1970, 1, 1)) / DAY


def season(when):
	"""1 at the height of the northern summer, -1 in its winter."""
	return math.cos(2 * math.pi * (when.timetuple().tm_yday - 203) / 365.25)


def dates(start, end, step):
	while start < end:
		yield start
		start += step


def month(year, number):
	first = datetime.datetime(year, number, 1, 12)
	after = datetime.datetime(year + number // 12, number % 12 + 1, 1, 12)
	return list(dates(first, after, DAY))


def published(path, when):
	"""Dates a file: when, plus the odd hours an operator takes."""
	odd = int(hashlib.sha256(os.path.basename(path).encode()).hexdigest()[:6], 16)
	at = 86400 * days(when) + odd % 40000
	os.utime(path, (at, at))


def text(path, when, body, newline="\n"):
	with open(path, "w", encoding="utf-8", newline=newline) as out:
		out.write(body)
	published(path, when)


def folder(top, year):
	path = f"{top}/{year}"
	os.makedirs(path, exist_ok=True)
	return path


# ---- GRIB2 ----

class Grib:
	"""A file of GRIB2 messages on one grid."""

	def __init__(self, path, weather, sample, packing):
		self.lib = ctypes.CDLL("libeccodes.so.0")
		new = self.lib.codes_grib_handle_new_from_samples
		new.restype = ctypes.c_void_p
		self.handle = ctypes.c_void_p(new(None, sample.encode()))
		if not self.handle:
			sys.exit("sample-archive: eccodes has no sample " + sample)
		last = 360 - weather.step
		self.set(centre=255, productionStatusOfProcessedData=1,
			Ni=weather.lons.size, Nj=weather.lats.size,
			latitudeOfFirstGridPointInDegrees=90.0,
			latitudeOfLastGridPointInDegrees=-90.0,
			longitudeOfFirstGridPointInDegrees=0.0,
			longitudeOfLastGridPointInDegrees=float(last),
			iDirectionIncrementInDegrees=float(weather.step),
			jDirectionIncrementInDegrees=float(weather.step),
			packingType=packing, bitsPerValue=16)
		self.out = open(path, "wb")

	def call(self, name, *args):
		error = getattr(self.lib, name)(self.handle, *args)
		if error:
			self.lib.codes_get_error_message.restype = ctypes.c_char_p
			sys.exit("sample-archive: %s %s: %s" % (name, args[0],
				self.lib.codes_get_error_message(error).decode()))

	def set(self, **keys):
		for key, value in keys.items():
			key = key.encode()
			if isinstance(value, str):
				size = ctypes.c_size_t(len(value))
				self.call("codes_set_string", key, value.encode(),
					ctypes.byref(size))
			elif isinstance(value, float):
				self.call("codes_set_double", key, ctypes.c_double(value))
			else:
				self.call("codes_set_long", key, ctypes.c_long(value))

	def add(self, when, field, **keys):
		values = np.ascontiguousarray(field, "f8")
		self.set(dataDate=int(when.strftime("%Y%m%d")),
			dataTime=100 * when.hour, **keys)
		self.call("codes_set_double_array", b"values",
			values.ctypes.data_as(ctypes.c_void_p),
			ctypes.c_size_t(values.size))
		data, size = ctypes.c_void_p(), ctypes.c_size_t()
		self.call("codes_get_message", ctypes.byref(data), ctypes.byref(size))
		self.out.write(ctypes.string_at(data, size.value))

	def __enter__(self):
		return self

	def __exit__(self, *_):
		self.out.close()
		self.lib.codes_handle_delete(self.handle)


def make_t2m(top, year):
	top = folder(top, year)
	weather = Weather(1, 2)
	for number in range(1, 13):
		path = f"{top}/t2m_{year}-{number:02}.grib2"
		with Grib(path, weather, "regular_ll_sfc_grib2", "grid_ccsds") as grib:
			grib.set(shortName="2t")
			for when in month(year, number):
				grib.add(when, weather.t2m(when))
		published(path, when + 6 * DAY)
	text(f"{top}/COMPLETE", when + 7 * DAY, "")


def make_levels(top, year):
	top = folder(top, year)
	weather = Weather(1, 2)
	for when in month(year, 7)[:10]:
		path = f"{top}/pl_{when:%Y-%m-%d}.grib2"
		eddy = weather.eddy(days(when))
		surface = weather.t2m(when, eddy) + 0.0065 * weather.height
		with Grib(path, weather, "regular_ll_pl_grib2", "grid_simple") as grib:
			grib.set(typeOfLevel="isobaricInhPa")
			for level in (1000, 850, 700, 500, 300, 200):
				warm = np.maximum(surface * (level / 1013) ** 0.19, 208)
				jet = 35 * weather.mid * (1 - abs(level - 250) / 1000)
				up = 29.3 * math.log(1013 / level) * (surface + warm) / 2
				for name, field in (
						("t", warm + eddy), ("z", 9.80665 * (up + 45 * eddy)),
						("u", jet - 8 + 6 * eddy),
						("v", 60 * np.gradient(eddy, axis=1) * weather.mid)):
					grib.add(when, field, shortName=name, level=level)
		published(path, when + 5 * DAY)


def make_forecast(top, year):
	"""The big one: a quarter of a degree, over 100 MB."""
	start = datetime.datetime(year, 9, 15)
	weather = Weather(0.25, 3)
	path = f"{folder(top, year)}/fc_{start:%Y-%m-%d}_00.grib2"
	with Grib(path, weather, "regular_ll_sfc_grib2", "grid_ccsds") as grib:
		for step in range(0, 73, 3):
			when = start + step * DAY / 24
			eddy = weather.eddy(days(when))
			swing = np.gradient(eddy, axis=1) / weather.step
			for name, level, field in (
					("2t", 2, weather.t2m(when, eddy)),
					("10u", 10, (4 * eddy - 7 * np.cos(3 * np.arcsin(weather.sin)))
						* weather.cos),
					("10v", 10, 30 * swing * weather.cos),
					("msl", 0, 101300 - 900 * eddy * (0.2 + weather.mid)
						- 1500 * weather.sin ** 8)):
				grib.add(start, field, shortName=name, level=level, step=step)
	published(path, start + DAY / 4)


# ---- NetCDF ----

def netcdf(path, title, weather, rows, times, since, **options):
	"""Opens a CF file with its axes: some rows of the grid, at some times."""
	out = netCDF4.Dataset(path, "w", **options)
	out.Conventions, out.title, out.comment = "CF-1.8", title, CREDIT
	for name, values, units in (
			("time", [(when - since) / DAY for when in times],
				f"days since {since:%Y-%m-%d 00:00:00}"),
			("lat", weather.lats[rows], "degrees_north"),
			("lon", weather.lons, "degrees_east")):
		out.createDimension(name, None if name == "time" else len(values))
		axis = out.createVariable(name, "f8", (name,))
		axis.units, axis.standard_name = units, {"lat": "latitude",
			"lon": "longitude"}.get(name, name)
		axis[:] = values
	return out


def make_sst(top, year):
	weather = Weather(0.5, 4)
	path = f"{folder(top, year)}/sst_{year}.nc"
	first = datetime.datetime(year, 1, 1)
	times = list(dates(first, datetime.datetime(year + 1, 1, 1), 7 * DAY))
	with netcdf(path, f"Sea surface temperature {year}, weekly", weather,
			slice(None), times, first) as out:
		sst = out.createVariable("sst", "i2", ("time", "lat", "lon"),
			zlib=True, complevel=4, shuffle=True, fill_value=-32768,
			chunksizes=(1, weather.lats.size, weather.lons.size))
		sst.units, sst.standard_name = "degree_C", "sea_surface_temperature"
		sst.scale_factor, sst.add_offset = 0.001, 15.0
		for at, when in enumerate(times):
			sst[at] = np.ma.array(weather.sst(when), mask=weather.land > 0)
	published(path, datetime.datetime(year + 1, 1, 9))


def make_ice(top, year):
	weather = Weather(0.5, 4)
	north = slice(0, np.searchsorted(-weather.lats, -40))
	path = f"{top}/ice concentration {year}.nc"
	times = [datetime.datetime(year, number, 15) for number in range(1, 13)]
	with netcdf(path, f"Arctic sea ice concentration {year}, monthly", weather,
			north, times, datetime.datetime(year, 1, 1),
			format="NETCDF3_64BIT_OFFSET") as out:
		ice = out.createVariable("siconc", "f4", ("time", "lat", "lon"),
			fill_value=np.float32(9.96921e36))
		ice.units, ice.standard_name = "percent", "sea_ice_area_fraction"
		lat = np.broadcast_to(weather.lats[:, None], weather.land.shape)
		for at, when in enumerate(times):
			edge = 71 + 6 * season(when - 45 * DAY) + 2 * weather.eddy(days(when))
			ice[at] = np.ma.array(np.clip(18 * (lat - edge), 0, 100),
				mask=weather.land > 0)[north]
	published(path, datetime.datetime(year + 1, 1, 20))


def make_normals(top, years):
	top = folder(top, years)
	weather = Weather(1, 2)
	for number, name in enumerate(MONTHS_FR, 1):
		path = f"{top}/normale_{number:02}_{name}.nc"
		when = datetime.datetime(2005, number, 15, 12)
		with netcdf(path, f"Température normale 1991-2020, {name}", weather,
				slice(None), [when], datetime.datetime(1991, 1, 1)) as out:
			mean = out.createVariable("tas", "f4", ("time", "lat", "lon"),
				zlib=True)
			mean.units, mean.standard_name = "K", "air_temperature"
			mean.long_name = "température à deux mètres"
			mean[0] = weather.t2m(when, weather.eddies[0][0] / 4)
		published(path, datetime.datetime(2021, 3, 2))


# ---- observations ----

def make_stations(top, year):
	"""A file for each day: a directory with hundreds of small ones."""
	top = folder(top, year)
	weather = Weather(1, 2)
	head = "station,name,time,temperature_C,pressure_hPa,wind_m_s\n"
	for noon in (at for number in range(1, 13) for at in month(year, number)):
		rows = []
		for when in dates(noon - DAY / 2, noon + DAY / 2, DAY / 4):
			eddy = weather.eddy(days(when))
			t2m = weather.t2m(when, eddy)
			for number, (name, lat, lon) in enumerate(STATIONS, 1):
				at = round(90 - lat), round(lon) % 360
				rows.append(f"P{number:03},{name},{when:%Y-%m-%dT%H:%MZ},"
					f"{t2m[at] - 273.15:.1f},{1013 - 9 * eddy[at]:.1f},"
					f"{abs(4 + 3 * eddy[at]):.1f}\n")
		path = f"{top}/synop_{noon:%Y-%m-%d}.csv"
		text(path, noon + DAY / 2, head + "".join(rows))


# ---- the tree ----

README = """\
{title}
{line}

{about}

Everything here was computed to try out an FTP server: the files are real
{format}, their values are made up.  Do not use them for anything else.

Check a download:  sha256sum -c SHA256SUMS
"""

LISEZ_MOI = """\
Températures normales 1991-2020
===============================

Une moyenne par mois, à deux mètres, sur une grille d'un degré (NetCDF).

Ces données ont été calculées pour essayer un serveur FTP : les fichiers sont
de vrais fichiers NetCDF, leurs valeurs sont inventées.

Vérifier un téléchargement :  sha256sum -c SHA256SUMS
"""

# Folder under pub/, who makes a year of it, years, title, format, description
DATASETS = [
	("forecast", make_forecast, (2023,), "Global forecast", "GRIB2",
		"Three days ahead every three hours, on a grid of 0.25 degrees: 2t, 10u,\n"
		"10v, msl.  One file per run, over 100 MB."),
	("reanalysis/t2m", make_t2m, YEARS, "Temperature at two metres", "GRIB2",
		"Daily at 12 UTC, on a grid of one degree.  One file per month; COMPLETE\n"
		"stands in a year to which nothing will be added."),
	("reanalysis/pressure levels", make_levels, (2022, 2023),
		"Temperature, geopotential and wind aloft", "GRIB2",
		"Ten days of July at 12 UTC, six levels from 1000 to 200 hPa."),
	("ocean/sst", make_sst, YEARS, "Sea surface temperature", "NetCDF-4",
		"Weekly, on a grid of half a degree.  One file per year."),
	("ocean/sea ice", make_ice, (1998, 2023), "Arctic sea ice", "NetCDF (64-bit)",
		"Monthly concentration north of 40 degrees.  One file per year; mind the\n"
		"spaces in the names."),
	("obs/stations", make_stations, (1999, 2023), "Station reports", "CSV",
		"Four times a day from each of the stations in stations.csv.  One file\n"
		"per day."),
	("climatologie/températures normales", make_normals, ("1991-2020",),
		None, None, None),	# LISEZ-MOI.txt instead
]

# To files alone: wget's mirror leaves out links to directories.
LINKS = {
	"reanalysis/t2m/latest.grib2": "2023/t2m_2023-12.grib2",
	"reanalysis/pressure levels/latest.grib2": "2023/pl_2023-07-10.grib2",
	"obs/stations/latest.csv": "2023/synop_2023-12-31.csv",
	"ocean/sst/latest.nc": "2023/sst_2023.nc",
	"ocean/sea ice/latest.nc": "ice concentration 2023.nc",
	"forecast/latest.grib2": "2023/fc_2023-09-15_00.grib2",
}


def checksums(dataset):
	lines, newest = [], 0
	for folder, folders, names in os.walk(dataset):
		folders.sort()
		for path in sorted(os.path.join(folder, name) for name in names):
			if os.path.islink(path):
				continue
			newest = max(newest, os.stat(path).st_mtime)
			with open(path, "rb") as data:
				digest = hashlib.file_digest(data, "sha256").hexdigest()
			lines.append(f"{digest}  {os.path.relpath(path, dataset)}\n")
	path = dataset + "/SHA256SUMS"
	with open(path, "w", encoding="utf-8") as out:
		out.writelines(lines)
	os.utime(path, (newest + 600, newest + 600))


def date_folders(top):
	"""A folder is as old as the newest thing in it."""
	for folder, folders, names in os.walk(top, topdown=False):
		times = [os.lstat(os.path.join(folder, name)).st_mtime
			for name in folders + names
			if not os.path.islink(os.path.join(folder, name))]
		at = max(times, default=1704103200)  # 2024-01-01 10:00
		os.utime(folder, (at, at))
		for path in (os.path.join(folder, name) for name in folders + names):
			if os.path.islink(path):
				os.utime(path, (at, at), follow_symlinks=False)


def main(top):
	pub = top + "/pub"
	jobs = []
	for name, make, years, title, kind, about in DATASETS:
		dataset = f"{pub}/{name}"
		os.makedirs(dataset)
		jobs += [(make, (dataset, year)) for year in years]
		if title:
			text(dataset + "/README.txt", datetime.datetime(years[0] + 1, 1, 4),
				README.format(title=title, line="=" * len(title), about=about,
					format=kind))
	for link, target in LINKS.items():
		os.symlink(target, f"{pub}/{link}")
	os.mkdir(pub + "/forecast/2024")	# empty: nothing has come in yet
	text(pub + "/climatologie/températures normales/LISEZ-MOI.txt",
		datetime.datetime(2021, 3, 2), LISEZ_MOI)
	text(pub + "/obs/stations/stations.csv", datetime.datetime(1998, 11, 3),
		"station,name,latitude,longitude\n" + "".join(
			f"P{number:03},{name},{lat},{lon}\n"
			for number, (name, lat, lon) in enumerate(STATIONS, 1)),
		newline="\r\n")
	text(top + "/README", datetime.datetime(2023, 10, 2), README.format(
		title="Sample archive", line="=" * 14, format="GRIB2 and NetCDF",
		about="All data are under pub/, a folder for each dataset, then for each\n"
		"year; \"latest\" leads to the newest.").replace("SHA256SUMS",
			"SHA256SUMS   (in each dataset's folder)"))

	with multiprocessing.Pool() as pool:
		running = [pool.apply_async(*job) for job in jobs]
		for job in running:
			job.get()
		pool.map(checksums, [f"{pub}/{dataset[0]}" for dataset in DATASETS],
			chunksize=1)
	date_folders(top)


if __name__ == "__main__":
	main(sys.argv[1])
