-- Orthanc tells of each series that has become stable; monai-sr makes a finer one of it and stores it here.
--
-- In orthanc.json: "LuaScripts": ["/etc/orthanc/orthanc.lua"], and the DICOMweb plugin. What Orthanc's environment
-- sets is taken over: MONAI_SR_COMMAND, MONAI_SR_SERVER, and the credentials, MONAI_SR_DICOMWEB_USER and
-- MONAI_SR_DICOMWEB_PASSWORD, where Orthanc asks for some.

local command = os.getenv('MONAI_SR_COMMAND') or 'monai-sr upscale --bundle edsr_mri'
local server = os.getenv('MONAI_SR_SERVER') or 'dicomweb://localhost:8042/dicom-web'
local lock = os.getenv('MONAI_SR_LOCK') or '/tmp/monai-sr-orthanc.lock'

-- A UID becomes a part of a command, and whoever sends images chooses it.
local function isUid(text)
  return type(text) == 'string' and #text <= 64 and text:match('^[0-9][0-9.]*$') ~= nil
end

-- Without this, a derived series would be upscaled in its turn, and so on.
local function isOurs(seriesId)
  local series = ParseJson(RestApiGet('/series/' .. seriesId))
  local tags = ParseJson(RestApiGet('/instances/' .. series['Instances'][1] .. '/tags?simplify'))
  for _, equipment in ipairs(tags['ContributingEquipmentSequence'] or {}) do
    if equipment['ManufacturerModelName'] == 'monai-sr' then
      return true
    end
  end
  return false
end

function OnStableSeries(seriesId, tags, metadata)
  if tags['Modality'] ~= 'MR' or isOurs(seriesId) then
    return
  end
  local study = ParseJson(RestApiGet('/series/' .. seriesId .. '/study'))['MainDicomTags']['StudyInstanceUID']
  local series = tags['SeriesInstanceUID']
  if not (isUid(study) and isUid(series)) then
    return
  end
  -- In the background, since Orthanc answers nobody until this function ends; flock lets one run at a time.
  os.execute('flock ' .. lock .. ' ' .. command .. ' ' .. server .. '/studies/' .. study .. '/series/' .. series ..
             ' ' .. server .. ' &')
end
