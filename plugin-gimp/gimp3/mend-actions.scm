; SPDX-License-Identifier: MIT OR Apache-2.0
; Filters > Enhance > Remove Object and Fill Quickly, for GIMP 3: Inpaint with settings that people
; reach for, and no dialog.

(define (script-fu-mend-remove-object image drawables)
  (plug-in-mend-inpaint #:run-mode RUN-NONINTERACTIVE #:image image #:drawables drawables
    #:grow 4))

(script-fu-register-filter "script-fu-mend-remove-object" "Remove _Object"
  "Fill the selection and a narrow rim around it"
  "The Mend authors" "The Mend authors" "2026" "*" SF-ONE-DRAWABLE)
(script-fu-menu-register "script-fu-mend-remove-object" "<Image>/Filters/Enhance")

(define (script-fu-mend-fill-quickly image drawables)
  (plug-in-mend-inpaint #:run-mode RUN-NONINTERACTIVE #:image image #:drawables drawables
    #:engine "exemplar" #:context "32"))

(script-fu-register-filter "script-fu-mend-fill-quickly" "Fill _Quickly"
  "Fill the selection from what is close to it"
  "The Mend authors" "The Mend authors" "2026" "*" SF-ONE-DRAWABLE)
(script-fu-menu-register "script-fu-mend-fill-quickly" "<Image>/Filters/Enhance")
